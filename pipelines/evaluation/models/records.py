"""What one simulated scan gave, by thresholds and by a model, kept as a file."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.evaluation.kept import KeptRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundCandidate:
    """One candidate in one view.

    Args:
        view: 0 anterior, 1 posterior.
        score: what candidates are ranked by: the model's highest output, or the highest uptake ratio.
        lesions: those whose shadow shares a pixel with it, as indices among the scan's; of a false one none.
    """

    view: int
    score: float
    lesions: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WayRecord:
    """A scan by one way of finding.

    Args:
        not_used: why the branch measured without the model; empty where it was used, and for the thresholds.
        candidates: of both views.
        parts: of each view by the part's name: overlap with the truth (Dice); parts too small in the truth left out.
        lesions: of each view, the overlap of all candidates' pixels with all shadows; None where there is neither.
        index: Bone Scan Index, %; None where it was withheld.
    """

    not_used: str
    candidates: tuple[FoundCandidate, ...]
    parts: tuple[dict[str, float], dict[str, float]]
    lesions: tuple[float | None, float | None]
    index: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanRecord(KeptRecord):
    """One scan.

    Args:
        shown: of each view, the lesions that have a shadow there.
        conspicuous: of these, the ones that stand out from the ring around them.
        index: of the true shadows, %.
        refusal: the reason's code where the scan was not assessed; then there are no ways.
    """

    patient: int
    shown: tuple[tuple[int, ...], tuple[int, ...]]
    conspicuous: tuple[tuple[int, ...], tuple[int, ...]]
    index: float
    refusal: str = ""
    thresholds: WayRecord | None = None
    model: WayRecord | None = None
    has_model: bool = field(default=False)

    @property
    def is_diseased(self) -> bool:
        """Whether a metastasis has a shadow in either view."""
        return any(self.shown)
