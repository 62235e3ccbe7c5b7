"""Fills a folder that tells of earlier examinations: whose files are images, our results or others' reviews.

See `bmnode.priors.handover` for the folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bmnode.domain.ids import digest
from bmnode.domain.ledger import LedgerEntry, in_order
from bmnode.domain.results import BurdenPoint, Outcome
from bmnode.priors.burden import EarlierBurden
from bmnode.priors.examination import Examination, tracer_family
from bmnode.priors.handover import (
    PRIOR_FOLDER,
    PRIORS_FILE,
    PriorInput,
    PriorRole,
    PriorStudy,
    write_prior_input,
)
from bmnode.priors.reading import is_own_result
from bmnode.priors.search import Found

_REPORTS = "1.2.840.10008.5.1.4.1.1.88."
_SEGMENTATIONS = frozenset({"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"})
_OTHERS_OF_OURS = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.66.1",  # Spatial Registration
        "1.2.840.10008.5.1.4.1.1.66.3",  # Deformable Spatial Registration
        "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture
        "1.2.840.10008.5.1.4.1.1.104.1",  # Encapsulated PDF
    }
)
"""SOP classes besides reports and segmentations in which bmnode writes."""


@dataclass(kw_only=True, slots=True)
class PriorFiles:
    """The files of one earlier examination by SOP Instance UID and by what they are; see `PriorStudy`."""

    images: dict[str, Path] = field(default_factory=dict)
    results: dict[str, Path] = field(default_factory=dict)
    reviews: dict[str, Path] = field(default_factory=dict)
    hashes: list[str] = field(default_factory=list)
    """Of the images and reviews."""

    def add(self, path: Path, *, sop_class_uid: str, sop_instance_uid: str, sha256: str) -> None:
        """Sort in a file; where results are known from elsewhere, those among the files are passed over."""
        says_something = sop_class_uid.startswith(_REPORTS) or sop_class_uid in _SEGMENTATIONS
        if (says_something or sop_class_uid in _OTHERS_OF_OURS) and is_own_result(path):
            self.results[sop_instance_uid] = path
            return
        self.hashes.append(sha256)
        (self.reviews if says_something else self.images)[sop_instance_uid] = path


def told_of(
    current: Examination, *, found: Found, files: Mapping[str, PriorFiles], entries: Sequence[LedgerEntry] = ()
) -> PriorInput:
    """What a search came to, as an operator is told; `files` by Study Instance UID. Raises ValueError, KeyError.

    `entries` is what the ledger has of the patient, or of patients that share the Patient ID.
    """
    return PriorInput(
        study_uid=current.study_uid,
        outcome=found.outcome,
        explanation=found.explanation,
        considered=found.considered,
        priors=tuple(
            _told(item, roles=roles, current=current, found=found, files=files[item.study_uid])
            for item, roles in roles_of(found).items()
        ),
        history=history_of(entries, current=current, found=found),
    )


def history_of(entries: Sequence[LedgerEntry], *, current: Examination, found: Found) -> tuple[EarlierBurden, ...]:
    """The numbers of comparable studies of the same branch, and of a tracer that shows the same; the first first.

    A study on which two reports contradict each other is left out.
    """
    comparable = {item.candidate.study_uid: item.candidate for item in found.choice.judged if item.comparable}
    family = None if current.tracer is None else tracer_family(current.tracer)
    points: dict[str, BurdenPoint] = {}
    contradicted = set()
    for entry in in_order(entries):
        candidate = comparable.get(entry.study_uid)
        if candidate is None or entry.studied_on is None or entry.outcome is not Outcome.ASSESSED:
            continue
        its_family = None if candidate.tracer is None else tracer_family(candidate.tracer)
        if current.branch is None or entry.branch != current.branch.value or its_family != family:
            continue
        point = BurdenPoint(studied_on=entry.studied_on, measurements=entry.measurements, synthetic=entry.synthetic)
        if points.setdefault(entry.study_uid, point) != point:
            contradicted.add(entry.study_uid)
    return tuple(EarlierBurden(study_uid=uid, point=point) for uid, point in points.items() if uid not in contradicted)


def compared(told: PriorInput, *, files: Mapping[str, PriorFiles]) -> str:
    """Names the examinations to compare and their files; empty for none."""
    if not told.priors:
        return ""
    hashes = [value for item in files.values() for value in (*sorted(item.hashes), *sorted(map(name_of, item.results)))]
    return digest((*(f"{item.study_uid} {role}" for item in told.priors for role in item.roles), *hashes))


def write_folder(folder: Path, told: PriorInput, *, files: Mapping[str, PriorFiles]) -> None:
    """The folder anew, with links to the files; nothing is done where it is finished. Raises OSError."""
    if (folder / PRIORS_FILE).is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for study_uid, found in files.items():
        for kind, links in (("images", found.images), ("results", found.results), ("reviews", found.reviews)):
            target = folder / PRIOR_FOLDER / study_uid / kind
            target.mkdir(parents=True)
            for uid, path in links.items():
                (target / name_of(uid)).symlink_to(path.absolute())
    write_prior_input(told, folder)


def roles_of(found: Found) -> dict[Examination, list[PriorRole]]:
    """What each of the chosen examinations is compared as."""
    choice = found.choice
    roles: dict[Examination, list[PriorRole]] = {}
    chosen = ((PriorRole.LATEST, choice.latest), (PriorRole.BASELINE, choice.baseline), (PriorRole.NADIR, choice.nadir))
    for role, examination in chosen:
        if examination is not None:
            roles.setdefault(examination, []).append(role)
    return roles


def name_of(sop_instance_uid: str) -> str:
    """Of the link to an instance."""
    return f"{sop_instance_uid}.dcm"


def _told(
    prior: Examination, *, roles: Sequence[PriorRole], current: Examination, found: Found, files: PriorFiles
) -> PriorStudy:
    """Raises ValueError for an examination without a day; none such is comparable."""
    if prior.performed_at is None or current.performed_at is None:
        raise ValueError("what is compared has a day")
    day = prior.performed_at.date()
    caveats = next(item.caveats for item in found.considered if item.study_uid == prior.study_uid)
    folder = Path(PRIOR_FOLDER) / prior.study_uid
    return PriorStudy(
        study_uid=prior.study_uid,
        performed_on=day,
        days_before=max((current.performed_at.date() - day).days, 1),  # zones may differ; it is no day of today
        roles=tuple(roles),
        images=tuple(folder / "images" / name_of(uid) for uid in sorted(files.images)),
        results=tuple(folder / "results" / name_of(uid) for uid in sorted(files.results)),
        reviews=tuple(folder / "reviews" / name_of(uid) for uid in sorted(files.reviews)),
        caveats=caveats,
    )
