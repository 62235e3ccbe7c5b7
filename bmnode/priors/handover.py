"""What a job is told of the patient's earlier examinations: a folder that `find_prior` fills and the operators read.

    priors.json                  what was looked for, what was said of every candidate, which ones are compared
    prior/<study>/images/        the images of an earlier examination, as they came
    prior/<study>/results/       what bmnode said of it: reports, segmentations, registrations
    prior/<study>/reviews/       reports and segmentations of others, among them what readers made of ours

`<study>` is the Study Instance UID. The files are links into the node's own store: read them, never write them. Paths
in `priors.json` are relative to the folder. Nothing in it names a patient. `priors.json` is written last: a folder
without it is unfinished.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from bmnode.domain.ids import is_safe_uid
from bmnode.errors import InputError
from bmnode.priors.burden import EarlierBurden

SCHEMA = "bmnode-priors"
SCHEMA_VERSION = 1
PRIORS_FILE = "priors.json"
PRIOR_FOLDER = "prior"


class SearchOutcome(StrEnum):
    """How the search for earlier examinations ended. The value goes into the SR as it stands."""

    FOUND = "found"
    NONE_COMPARABLE = "none_comparable"
    """Every place answered, and nothing that it has can be compared."""
    NOT_KNOWN = "not_known"
    """A place did not answer within the limit: there may be one. It is looked for again, and a late one is compared."""
    NOT_LOOKED_FOR = "not_looked_for"
    """The study does not say enough of patient or date, or the node is set to look for none."""
    SET_ASIDE = "set_aside"
    """There is one, and every attempt that compared with it failed, or it was deleted: the study is assessed alone."""


class PriorRole(StrEnum):
    """What an earlier examination is compared as; one may be several."""

    LATEST = "latest"
    BASELINE = "baseline"
    NADIR = "nadir"


@dataclass(frozen=True, kw_only=True, slots=True)
class Considered:
    """One candidate and what was said of it.

    Args:
        study_uid: its Study Instance UID.
        place: `node`, or the name of the archive that told of it.
        performed_on: the day of the examination; None where not known.
        objection: a `bmnode.priors.comparable.PriorReason`, or why it could not be had; None where it is comparable.
        caveats: what weakens the comparison: sentences for the SR.
    """

    study_uid: str
    place: str
    performed_on: date | None = None
    objection: str | None = None
    caveats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_safe_uid(self.study_uid) or not self.place:
            raise ValueError("a candidate has a Study Instance UID and a place")

    def sentence(self) -> str:
        """For the SR: day, place and verdict; no patient identity."""
        day = "an unknown day" if self.performed_on is None else self.performed_on.isoformat()
        verdict = "comparable" if self.objection is None else f"not compared ({self.objection})"
        return f"Earlier examination of {day} ({self.place}): {verdict}."


@dataclass(frozen=True, kw_only=True, slots=True)
class PriorStudy:
    """One earlier examination that is compared. Paths are relative to the folder in `priors.json`, absolute once read.

    Args:
        days_before: calendar days from it to the present examination.
        images: its images and other objects of others that are no report and no segmentation.
        results: bmnode's own objects on it, of the last job that assessed it; empty where there are none.
        reviews: reports and segmentations that bmnode did not write.
    """

    study_uid: str
    performed_on: date
    days_before: int
    roles: tuple[PriorRole, ...]
    images: tuple[Path, ...]
    results: tuple[Path, ...] = ()
    reviews: tuple[Path, ...] = ()
    caveats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_safe_uid(self.study_uid):
            raise ValueError("an earlier examination has a Study Instance UID")
        if not self.roles or len(set(self.roles)) != len(self.roles):
            raise ValueError("an earlier examination is compared in at least one role, in none twice")
        if self.days_before < 1 or not self.images:
            raise ValueError("an earlier examination lies a day back at least and has images")


@dataclass(frozen=True, kw_only=True, slots=True)
class PriorInput:
    """What `priors.json` says.

    Args:
        study_uid: the present study.
        outcome: how the search ended.
        explanation: one sentence for the SR.
        considered: every candidate, the most recent first.
        priors: those that are compared, the most recent first; empty unless `outcome` is FOUND.
        history: the comparable ones of which the ledger has numbers, the first first.
    """

    study_uid: str
    outcome: SearchOutcome
    explanation: str
    considered: tuple[Considered, ...] = ()
    priors: tuple[PriorStudy, ...] = ()
    history: tuple[EarlierBurden, ...] = ()

    def __post_init__(self) -> None:
        if (self.outcome is SearchOutcome.FOUND) != bool(self.priors):
            raise ValueError("there are priors if and only if the search found some")
        if not self.explanation:
            raise ValueError("a search explains how it ended")
        roles = [role for prior in self.priors for role in prior.roles]
        if len(set(roles)) != len(roles):
            raise ValueError("a role is that of one earlier examination")

    def prior(self, role: PriorRole) -> PriorStudy | None:
        """The earlier examination in a role; None where there is none."""
        return next((item for item in self.priors if role in item.roles), None)

    def sentences(self) -> tuple[str, ...]:
        """For the SR: how the search ended, then candidate by candidate what was said; no patient identity."""
        return (self.explanation, *(item.sentence() for item in self.considered))


def read_prior_input(folder: Path) -> PriorInput:
    """What a job is told, its paths made absolute. Raises InputError where the folder is unfinished or damaged."""
    path = folder / PRIORS_FILE
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        if (body["schema"], body["version"]) != (SCHEMA, SCHEMA_VERSION):
            raise ValueError("another schema or version")  # noqa: TRY301 - told together with other damage
        return _from_json(body, folder=folder.absolute())
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{PRIORS_FILE} of the job cannot be read ({type(error).__name__})") from error


def write_prior_input(told: PriorInput, folder: Path) -> None:
    """Write `priors.json`, last and to the disk. Paths are relative to the folder. Raises OSError."""
    text = json.dumps({"schema": SCHEMA, "version": SCHEMA_VERSION, **_to_json(told)}, indent=1)
    unfinished = folder / f"{PRIORS_FILE}.part"
    with unfinished.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(folder / PRIORS_FILE)


def _to_json(told: PriorInput) -> dict[str, Any]:
    return {
        "study_uid": told.study_uid,
        "outcome": told.outcome.value,
        "explanation": told.explanation,
        "considered": [
            {
                "study_uid": item.study_uid,
                "place": item.place,
                "performed_on": None if item.performed_on is None else item.performed_on.isoformat(),
                "objection": item.objection,
                "caveats": list(item.caveats),
            }
            for item in told.considered
        ],
        "priors": [
            {
                "study_uid": item.study_uid,
                "performed_on": item.performed_on.isoformat(),
                "days_before": item.days_before,
                "roles": [role.value for role in item.roles],
                "images": [path.as_posix() for path in item.images],
                "results": [path.as_posix() for path in item.results],
                "reviews": [path.as_posix() for path in item.reviews],
                "caveats": list(item.caveats),
            }
            for item in told.priors
        ],
        "history": [item.to_json() for item in told.history],
    }


def _from_json(body: Mapping[str, Any], *, folder: Path) -> PriorInput:
    return PriorInput(
        study_uid=body["study_uid"],
        outcome=SearchOutcome(body["outcome"]),
        explanation=body["explanation"],
        considered=tuple(
            Considered(
                study_uid=item["study_uid"],
                place=item["place"],
                performed_on=None if item["performed_on"] is None else date.fromisoformat(item["performed_on"]),
                objection=item["objection"],
                caveats=tuple(item["caveats"]),
            )
            for item in body["considered"]
        ),
        priors=tuple(
            PriorStudy(
                study_uid=item["study_uid"],
                performed_on=date.fromisoformat(item["performed_on"]),
                days_before=item["days_before"],
                roles=tuple(PriorRole(role) for role in item["roles"]),
                images=_paths(item["images"], folder=folder),
                results=_paths(item["results"], folder=folder),
                reviews=_paths(item["reviews"], folder=folder),
                caveats=tuple(item["caveats"]),
            )
            for item in body["priors"]
        ),
        history=tuple(EarlierBurden.from_json(item) for item in body.get("history", ())),  # none in folders of old
    )


def _paths(names: Sequence[str], *, folder: Path) -> tuple[Path, ...]:
    """Raises ValueError where a name leads out of the folder."""
    for name in names:
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or parts.parts[:1] != (PRIOR_FOLDER,):
            raise ValueError("a file of an earlier examination lies in its folder")
    return tuple(folder / name for name in names)
