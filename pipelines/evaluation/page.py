"""The accuracy tables as a page: `python -m pipelines.evaluation.page COHORT OUT CACHE` evaluates and writes it.

It goes on where an evaluation of the same cohort in the same folder stopped. A test holds that the page has a row
for every quantity, with the targets that are in force.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bmnode.domain.evaluations import (
    AccuracyRow,
    DetectionRow,
    EvaluationRequest,
    Interval,
    Masks,
    MeasurementReport,
)
from pipelines.evaluation.command import MEASUREMENTS
from pipelines.evaluation.quantities import DEFINITIONS
from pipelines.evaluation.targets import TARGETS, WITHOUT_TARGET

PAGE = Path("docs") / "reference" / "measurement-accuracy.md"
_COMMAND = "python -m pipelines.evaluation.page COHORT OUT CACHE"
_HEAD = f"""<!-- Written by `{_COMMAND}`: change the code, not this page. -->

# How accurate the measurements are (SIMULATED patients)

What `bmnode evaluate measurements` prints. **Every figure on this page is of SIMULATED patients**; none says how well
anything is measured on people. Differences are measured minus true. Bias is their mean, with its 95 % confidence
interval; the limits of agreement lie 1.96 standard deviations on either side (Bland and Altman, Lancet 1986;1:307; Stat
Methods Med Res 1999;8:135). Lesions of one patient are not independent of each other, so the intervals are too narrow.
What could not be compared is counted with its reason and is in no figure.

On **true masks** the kernels measure the voxels of which at least half is lesion, in the volume that the branch itself
reads from the DICOM files. On **masks found** the same quantities are the branch's own, of lesions that it found.
`3 resolutions and more` are the lesions whose ball of equal volume is at least three times as wide as what blurs the
image most: the FWHM in SPECT and PET (with the positron's range), the distance of slices (or, if larger, their
thickness) in CT and MRI.

A candidate is paired with a lesion one to one, so that all pairs together share the most voxels (planar: pixels, view
by view; a lesion counts as found where it is found in one view) [P]. Further candidates on a lesion are `parts`; those
that touch no lesion are false, also where they lie on a benign change that was simulated.
"""


def page(report: MeasurementReport) -> str:
    """The page of an evaluation."""
    parts = [
        _HEAD,
        f"SIMULATED cohort `{report.cohort}`, seed {report.seed}: **{report.patients} patients in every modality**. "
        f"Pipeline {report.pipeline}. The cohort that comes along has 40 patients; where there are fewer here, they "
        "are its first ones, and the same command goes on.\n",
        f"{report.summary}.\n",
        "## What the truth is\n",
        "| quantity | unit | true value |",
        "| --- | --- | --- |",
        *(f"| {item.label} | {item.unit} | {item.truth} |" for item in DEFINITIONS.values()),
        "\n## On the true masks (SIMULATED)\n",
        *_accuracy([row for row in report.rows if row.masks is Masks.TRUE]),
        "\n## On the masks that the branch found (SIMULATED)\n",
        *_accuracy([row for row in report.rows if row.masks is Masks.FOUND]),
        "\n## Lesions found (SIMULATED)\n",
        "Diameters are those of the ball of the lesion's true volume. Intervals are Wilson's, 95 %.\n",
        "| modality | diameter | lesions | found | sensitivity | false a study | parts | studies refused |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_detection(row) for row in report.detection),
        "\n## Targets [P]\n",
        "| modality | quantity | lesions | target on true masks | why |",
        "| --- | --- | --- | --- | --- |",
        *target_lines(),
        "",
        *(f"{DEFINITIONS[item].label} has no target: {why}." for item, why in WITHOUT_TARGET.items()),
    ]
    return "\n".join(parts) + "\n"


def target_lines() -> tuple[str, ...]:
    """The table of targets, a line each."""
    return tuple(
        f"| {item.modality} | {DEFINITIONS[item.quantity].label} | {item.group} | {item.words} | {item.reason} |"
        for item in TARGETS
    )


def _accuracy(rows: Sequence[AccuracyRow]) -> list[str]:
    judged = any(row.target for row in rows)
    return [
        "| modality | quantity | of | n | bias (95 % CI) | limits of agreement | median | bias % | limits % | "
        f"not evaluable |{' verdict |' if judged else ''}",
        f"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |{' --- |' if judged else ''}",
        *(_line(row) + (f" {row.verdict} |" if judged else "") for row in rows),
    ]


def _line(row: AccuracyRow) -> str:
    found, percent = row.absolute, row.percent
    cells = (
        row.modality,
        f"{row.quantity}, {row.unit}",
        row.group,
        str(row.n),
        "" if found is None else f"{found.bias:.3g}" + (f" ({_range(found.bias_interval)})" if found.n > 1 else ""),
        "" if found is None else _range(found.limits),
        "" if found is None else f"{found.median:.3g}",
        "" if percent is None else f"{percent.bias:.1f}",
        "" if percent is None else _range(percent.limits),
        ", ".join(f"{count} {reason}" for reason, count in row.not_evaluable.items()),
    )
    return f"| {' | '.join(cells)} |"


def _range(ends: Interval | None) -> str:
    return "" if ends is None else f"{ends[0]:.3g} to {ends[1]:.3g}"


def _detection(row: DetectionRow) -> str:
    share = row.sensitivity
    shown = (
        "" if share is None or row.interval is None else f"{share:.2f} ({row.interval[0]:.2f} to {row.interval[1]:.2f})"
    )
    false = "" if row.false_per_study is None else f"{row.false_per_study:.2f}"
    parts = "" if row.parts is None else str(row.parts)
    return (
        f"| {row.modality} | {row.size} | {row.lesions} | {row.found} | {shown} | {false} | {parts} | "
        f"{row.refused} of {row.studies} |"
    )


if __name__ == "__main__":
    cohort, out, cache = sys.argv[1:]
    request = EvaluationRequest(cohort=cohort, out=Path(out).absolute(), cache_dir=Path(cache).absolute())
    PAGE.write_text(page(MEASUREMENTS(request, lambda _: None)), encoding="utf-8")
