"""Whether an earlier examination can be compared with a current one, and if not, why not.

One check a reason, in the order in which a reader would ask; the first that objects is the answer.
What is not known is no objection where an image will tell (branch, tracer, body part: a candidate
of an archive's answer is looked at again once it is here), and is one where nothing will.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from bmnode.domain.study import Branch
from bmnode.priors.examination import Examination, tracer_family

WHOLE_BODY_PARTS = frozenset({"WHOLEBODY", "WHOLE BODY", "WB", "BODY", "TRUNK", "TAP", "CHESTABDPELVIS"})
"""Values of Body Part Examined that say nothing against any bone of the trunk."""
_WITH_TRACER = frozenset({Branch.BONE_SCAN, Branch.SPECT, Branch.PET_CT})


_MODALITIES_OF: Mapping[Branch, frozenset[str]] = {
    Branch.BONE_SCAN: frozenset({"NM"}),
    Branch.SPECT: frozenset({"NM"}),
    Branch.CT: frozenset({"CT"}),
    Branch.MRI: frozenset({"MR"}),
    Branch.PET_CT: frozenset({"PT"}),
}
"""Without which series a study cannot take a branch."""


class PriorReason(StrEnum):
    """Why an examination is not comparable. The value goes into the SR as it stands."""

    SAME_STUDY = "same_study"
    OTHER_PATIENT = "other_patient"
    OTHER_ISSUER = "other_issuer"
    ISSUER_UNKNOWN = "issuer_unknown"
    OTHER_BIRTH_DATE = "other_birth_date"
    DATE_UNKNOWN = "date_unknown"
    NOT_EARLIER = "not_earlier"
    SAME_DAY = "same_day"
    TOO_OLD = "too_old"
    OTHER_EXAMINATION = "other_examination"
    OTHER_TRACER = "other_tracer"
    OTHER_BODY_PART = "other_body_part"


@dataclass(frozen=True, kw_only=True, slots=True)
class PriorRule:
    """How far apart two examinations may be.

    Args:
        oldest: a candidate that lies farther back is too old.
    """

    oldest: timedelta = timedelta(days=730)

    def __post_init__(self) -> None:
        if self.oldest <= timedelta(days=1):
            raise ValueError("oldest is more than a day: a study of the same day is no prior")


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One candidate with what was said of it."""

    candidate: Examination
    objection: PriorReason | None = None
    caveats: tuple[str, ...] = ()
    """What weakens the comparison without forbidding it: sentences for the SR."""

    @property
    def comparable(self) -> bool:
        """Whether nothing speaks against it."""
        return self.objection is None


def judge(candidate: Examination, *, current: Examination, rule: PriorRule) -> Judged:
    """What speaks against comparing the current examination with a candidate."""
    for reason, objects in _CHECKS:
        if objects(candidate, current, rule):
            return Judged(candidate=candidate, objection=reason)
    return Judged(candidate=candidate, caveats=_caveats(candidate, current))


def _same_study(candidate: Examination, current: Examination, _rule: PriorRule) -> bool:
    return candidate.study_uid == current.study_uid


def _other_patient(candidate: Examination, current: Examination, _rule: PriorRule) -> bool:
    return candidate.patient.patient_id.strip() != current.patient.patient_id.strip()


def _other_issuer(candidate: Examination, current: Examination, _rule: PriorRule) -> bool:
    issuers = {candidate.patient.issuer, current.patient.issuer}
    return None not in issuers and len(issuers) > 1


def _issuer_unknown(candidate: Examination, current: Examination, _rule: PriorRule) -> bool:
    """Of one alone: the same number may be another person's at another hospital."""
    return (candidate.patient.issuer is None) != (current.patient.issuer is None)


def _other_birth_date(candidate: Examination, current: Examination, _rule: PriorRule) -> bool:
    dates = {candidate.patient.birth_date, current.patient.birth_date}
    return None not in dates and len(dates) > 1


def _date_unknown(candidate: Examination, current: Examination, _rule: PriorRule) -> bool:
    return None in (candidate.performed_at, current.performed_at)


def _age(candidate: Examination, current: Examination) -> timedelta | None:
    """How much earlier it was; None where a date is not known."""
    if candidate.performed_at is None or current.performed_at is None:
        return None
    return current.performed_at - candidate.performed_at


def _same_day(candidate: Examination, current: Examination, _rule: PriorRule) -> bool:
    days = {item.performed_at.date() for item in (candidate, current) if item.performed_at is not None}
    return _age(candidate, current) is not None and len(days) == 1


def _not_earlier(candidate: Examination, current: Examination, _rule: PriorRule) -> bool:
    age = _age(candidate, current)
    return age is not None and age <= timedelta(0)


def _too_old(candidate: Examination, current: Examination, rule: PriorRule) -> bool:
    age = _age(candidate, current)
    return age is not None and age > rule.oldest


def _other_examination(candidate: Examination, current: Examination, _rule: PriorRule) -> bool:
    """Another branch; or, where the candidate's is not known yet, modalities of which that branch cannot be made."""
    if current.branch is None:
        return False
    if candidate.branch is not None:
        return candidate.branch is not current.branch
    needed = _MODALITIES_OF[current.branch]
    return bool(candidate.modalities) and not needed <= candidate.modalities


def _other_tracer(candidate: Examination, current: Examination, _rule: PriorRule) -> bool:
    if candidate.tracer is None or current.tracer is None:
        return False
    return tracer_family(candidate.tracer) != tracer_family(current.tracer)


def _other_body_part(candidate: Examination, current: Examination, _rule: PriorRule) -> bool:
    """Both are named, neither is the whole body, and they share no part."""
    if not candidate.body_parts or not current.body_parts:
        return False
    if (candidate.body_parts | current.body_parts) & WHOLE_BODY_PARTS:
        return False
    return not candidate.body_parts & current.body_parts


_CHECKS: tuple[tuple[PriorReason, Callable[[Examination, Examination, PriorRule], bool]], ...] = (
    (PriorReason.SAME_STUDY, _same_study),
    (PriorReason.OTHER_PATIENT, _other_patient),
    (PriorReason.OTHER_ISSUER, _other_issuer),
    (PriorReason.ISSUER_UNKNOWN, _issuer_unknown),
    (PriorReason.OTHER_BIRTH_DATE, _other_birth_date),
    (PriorReason.DATE_UNKNOWN, _date_unknown),
    (PriorReason.SAME_DAY, _same_day),
    (PriorReason.NOT_EARLIER, _not_earlier),
    (PriorReason.TOO_OLD, _too_old),
    (PriorReason.OTHER_EXAMINATION, _other_examination),
    (PriorReason.OTHER_TRACER, _other_tracer),
    (PriorReason.OTHER_BODY_PART, _other_body_part),
)


def _caveats(candidate: Examination, current: Examination) -> tuple[str, ...]:
    found: list[str] = []
    if candidate.tracer and current.tracer and candidate.tracer != current.tracer:
        found.append(
            f"The prior was made with {candidate.tracer}, the current examination with {current.tracer}: "
            "uptake is not compared in numbers."
        )
    if current.branch in _WITH_TRACER and None in (candidate.tracer, current.tracer):
        found.append("The tracer of one of the two examinations is not stated.")
    return tuple(found)
