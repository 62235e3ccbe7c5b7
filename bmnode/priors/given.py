"""Earlier examinations that lie in a folder: somebody says what to compare with, the rules say whether it can be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from bmnode.domain.ids import is_safe_uid
from bmnode.domain.ledger import LedgerEntry
from bmnode.domain.study import Branch
from bmnode.errors import NotFoundError
from bmnode.priors.comparable import PriorReason, PriorRule
from bmnode.priors.examination import Examination
from bmnode.priors.handover import Considered, PriorInput, SearchOutcome, write_prior_input
from bmnode.priors.reading import Site, read_examination, read_whole
from bmnode.priors.search import NOT_READABLE, Found, PriorSearch
from bmnode.priors.telling import PriorFiles, compared, roles_of, told_of, write_folder

PLACE = "folder"
"""The place of what was given."""
NO_PATIENT = "The study names no patient: whether an earlier one is of the same patient is not known."


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenFile:
    """One DICOM file of an earlier examination."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenStudies:
    """An `OwnStore`: the studies in a folder, by Study Instance UID.

    Args:
        files: of every study.
        site: what holds where a study does not say.
        entries: what the node's own reports among the files say.
    """

    files: Mapping[str, tuple[GivenFile, ...]]
    site: Site
    entries: tuple[LedgerEntry, ...] = ()

    @classmethod
    def from_folder(cls, folder: Path, *, site: Site) -> GivenStudies:
        """All DICOM files below the folder. Raises NotFoundError where there is none."""
        found: dict[str, list[GivenFile]] = {}
        for path in sorted(item for item in folder.rglob("*") if item.is_file()):
            header = _uids(path)
            if header is not None:
                found.setdefault(header[0], []).append(
                    GivenFile(path=path, sop_class_uid=header[1], sop_instance_uid=header[2])
                )
        if not found:
            raise NotFoundError(f"{folder} holds no DICOM files of an earlier study")
        return cls(files={uid: tuple(items) for uid, items in found.items()}, site=site)

    def of_patient(self, _patient_id: str) -> Sequence[Examination]:
        """Every study that names a patient: one of another patient is to be told as such."""
        read = (read_examination(self.paths(uid), study_uid=uid, site=self.site) for uid in self.files)
        return [item for item in read if item is not None]

    def objection(self, _study_uid: str) -> str | None:
        """None: nothing speaks against what was given."""
        return None

    def look_at(self, study_uid: str) -> tuple[Examination | None, str | None]:
        """A study by all of its files, and why it takes no branch."""
        return read_whole(self.paths(study_uid), study_uid=study_uid, site=self.site)

    def paths(self, study_uid: str) -> tuple[Path, ...]:
        """The files of a study."""
        return tuple(item.path for item in self.files[study_uid])

    def sorted_files(self, study_uid: str) -> PriorFiles:
        """The files of a study by what they are. Raises OSError."""
        found = PriorFiles()
        for item in self.files[study_uid]:
            found.add(
                item.path,
                sop_class_uid=item.sop_class_uid,
                sop_instance_uid=item.sop_instance_uid,
                sha256=_sha256(item.path),
            )
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenPriors:
    """What a run is told of the studies in a folder.

    Args:
        folder: as `PipelineRequest.priors_dir` has it.
        compared: names what is compared; empty for nothing.
        sentences: how the search ended, and candidate by candidate what was said; no patient identity.
    """

    folder: Path
    compared: str
    sentences: tuple[str, ...]


def tell_of_given(
    given: GivenStudies, files: Sequence[Path], *, study_uid: str, branch: Branch | None, rule: PriorRule, into: Path
) -> GivenPriors:
    """Judge the studies by the rules of the node, and tell of them in the folder `into`.

    Args:
        given: the studies.
        files: those of the present study.
        study_uid: of the present study.
        branch: that the present study takes.
        rule: how far apart two examinations may be.
        into: a folder that does not exist yet.

    Raises OSError.
    """
    current = read_examination(files, study_uid=study_uid, site=given.site, branch=branch)
    if current is None:
        told = PriorInput(study_uid=study_uid, outcome=SearchOutcome.NOT_LOOKED_FOR, explanation=NO_PATIENT)
        into.mkdir(parents=True)
        write_prior_input(told, into)
        return GivenPriors(folder=into, compared="", sentences=told.sentences())
    found = _with_all(PriorSearch(store=given, rule=rule, place=PLACE).run(current), given, study_uid=study_uid)
    sorted_files = {item.study_uid: given.sorted_files(item.study_uid) for item in roles_of(found)}
    told = told_of(current, found=found, files=sorted_files, entries=given.entries)
    write_folder(into, told, files=sorted_files)
    return GivenPriors(folder=into, compared=compared(told, files=sorted_files), sentences=told.sentences())


def _with_all(found: Found, given: GivenStudies, *, study_uid: str) -> Found:
    """No study that was given is left out in silence: the present one itself, and what names no patient."""
    known = {item.study_uid for item in found.considered}
    others = tuple(
        Considered(study_uid=uid, place=PLACE, objection=PriorReason.SAME_STUDY if uid == study_uid else NOT_READABLE)
        for uid in sorted(given.files)
        if uid not in known
    )
    return replace(found, considered=(*found.considered, *others))


def _uids(path: Path) -> tuple[str, str, str] | None:
    """Study, SOP class and SOP instance; None of a file that is no DICOM object of a study."""
    keywords = ["StudyInstanceUID", "SOPClassUID", "SOPInstanceUID"]
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=keywords)
    except (InvalidDicomError, OSError, EOFError, ValueError, TypeError, AttributeError, KeyError):
        return None
    study, sop_class, instance = (str(header.get(keyword) or "") for keyword in keywords)
    return (study, sop_class, instance) if is_safe_uid(study) and sop_class and is_safe_uid(instance) else None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
