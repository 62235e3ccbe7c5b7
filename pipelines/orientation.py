"""What a branch does with CT_ORIENTATION_V3 and FUSION_ORIENTATION_V1: refuse what contradicts a header, say what could
not be told."""

from __future__ import annotations

from bmnode.domain.results import QualityCheck, Verdict
from bmnode.domain.study import Reason
from operators.graph.contract import NotAssessableError
from operators.kernels.ct_orientation import Agreement, Orientation
from operators.kernels.fusion_orientation import Fit, FusionLimits

_SHOWN = {
    "turn": "the trunk is deeper than broad, as if it had been turned by a quarter",
    "back": "the spine lies at the front",
    "head": "the trunk lies above the lungs",
    "sides": "the liver seems to lie on the left",
}
_NAMES = {"back": "front and back", "head": "head and feet", "sides": "left and right"}


def refuse_contradiction(orientation: Orientation) -> None:
    """Raise NotAssessableError (unexplained_orientation) where the CT shows another direction than its header says."""
    shown = [text for name, text in _SHOWN.items() if getattr(orientation, name) is Agreement.CONTRADICTS]
    if not shown:
        return
    either = ", or the patient has situs inversus" if shown == [_SHOWN["sides"]] else ""
    raise NotAssessableError(
        Reason.UNEXPLAINED_ORIENTATION,
        f"The CT contradicts its own header: {' and '.join(shown)}. The image is turned or mirrored{either}; no side "
        "could be trusted.",
    )


def orientation_check(orientation: Orientation) -> QualityCheck:
    """Which directions of the CT its anatomy confirms, for one that contradicts none."""
    agreed = [text for name, text in _NAMES.items() if getattr(orientation, name) is Agreement.AGREES]
    unknown = [text for name, text in _NAMES.items() if getattr(orientation, name) is Agreement.NOT_EVALUABLE]
    sentences = [
        *([f"Anatomy confirms {', '.join(agreed)}."] if agreed else []),
        *([f"Not evaluable in this field of view: {', '.join(unknown)}; the header was believed."] if unknown else []),
    ]
    verdict = Verdict.NOT_EVALUABLE if unknown else Verdict.PASS
    return QualityCheck(name="Orientation of the CT", verdict=verdict, explanation=" ".join(sentences))


def refuse_misfit(fit: Fit | None, *, limits: FusionLimits) -> None:
    """Raise NotAssessableError (unexplained_orientation) where the emission fits its CT only when it is turned."""
    if fit is None or fit.agreement(limits=limits) is not Agreement.CONTRADICTS:
        return
    raise NotAssessableError(
        Reason.UNEXPLAINED_ORIENTATION,
        f"The emission image contradicts the CT: as its header says it fits {fit.gain:.2f} times as well as with "
        f"{fit.other.words}. No side and no place could be trusted.",
    )


def fusion_check(fit: Fit | None, *, limits: FusionLimits) -> QualityCheck:
    """Whether the emission lies on its CT as its header says; not evaluable without a CT."""
    name = "Orientation of the emission image"
    if fit is None:
        said = "There is too little of a CT to compare it with; the header was believed."
        return QualityCheck(name=name, verdict=Verdict.NOT_EVALUABLE, explanation=said)
    if fit.agreement(limits=limits) is Agreement.AGREES:
        said = f"It fits the CT {fit.gain:.2f} times as well as it does with {fit.other.words}, the next best."
        return QualityCheck(name=name, verdict=Verdict.PASS, explanation=said)
    said = f"It fits the CT about as well with {fit.other.words}; the header was believed."
    return QualityCheck(name=name, verdict=Verdict.NOT_EVALUABLE, explanation=said)
