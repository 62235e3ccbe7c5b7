"""What the report says of a PET's headers: whether SUV rests on what they state, and when it was scanned."""

from __future__ import annotations

from dataclasses import dataclass

from bmnode.domain.results import QualityCheck, Verdict
from operators.kernels.suv import SuvScale


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityLimits:
    """Limits of the input checks, minutes from injection to scan, and of size: about twice the resolution."""

    uptake_minutes_lowest: float
    uptake_minutes_highest: float
    quantifiable_mm: float


def input_checks(
    scale: SuvScale, *, coverage: float | None, minimum_coverage: float, limits: QualityLimits
) -> tuple[QualityCheck, ...]:
    """SUV prerequisites, uptake time and, beside a CT, the share of the PET's slices that it covers."""
    checks = [_prerequisites(scale), _uptake_time(scale, limits=limits)]
    if coverage is not None:
        checks.append(
            QualityCheck(
                name="CT coverage",
                verdict=Verdict.PASS if coverage >= minimum_coverage else Verdict.WARN,
                explanation=f"The CT covers {100.0 * coverage:.0f} % of the PET; the rest is not evaluated.",
            )
        )
    return tuple(checks)


def _prerequisites(scale: SuvScale) -> QualityCheck:
    assumed = any("was read as" in note or "want of a better" in note for note in scale.notes)
    return QualityCheck(
        name="SUV prerequisites",
        verdict=Verdict.WARN if assumed else Verdict.PASS,
        explanation=" ".join(scale.notes) or "All that it needs was stated.",
    )


def _uptake_time(scale: SuvScale, *, limits: QualityLimits) -> QualityCheck:
    window = f"{limits.uptake_minutes_lowest:g} to {limits.uptake_minutes_highest:g} min are usual."
    if scale.uptake_time_s is None:
        return QualityCheck(name="Uptake time", verdict=Verdict.NOT_EVALUABLE, explanation=f"Not computed; {window}")
    minutes = scale.uptake_time_s / 60.0
    usual = limits.uptake_minutes_lowest <= minutes <= limits.uptake_minutes_highest
    return QualityCheck(
        name="Uptake time",
        verdict=Verdict.PASS if usual else Verdict.WARN,
        explanation=f"{minutes:.0f} min from injection to the decay reference; {window}",
    )
