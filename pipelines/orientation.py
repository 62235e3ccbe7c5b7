"""What a branch does with CT_ORIENTATION_V2: refuse what contradicts its header, say what could not be told."""

from __future__ import annotations

from bmnode.domain.results import QualityCheck, Verdict
from bmnode.domain.study import Reason
from operators.graph.contract import NotAssessableError
from operators.kernels.ct_orientation import Agreement, Orientation

_SHOWN = {
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
