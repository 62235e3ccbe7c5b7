"""The matching tables as a page: `python -m pipelines.evaluation.lesion_matching.page OUT CACHE COHORT...` writes it.

It goes on where an evaluation of the same cohort in the same folder stopped.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bmnode.domain.evaluations import EvaluationRequest
from bmnode.domain.matching_evaluations import MatchingReport, MatchingRow
from pipelines.evaluation.lesion_matching.command import MATCHING
from pipelines.evaluation.lesion_matching.evaluate import RULES
from pipelines.evaluation.lesion_matching.table import LEAST_F1

PAGE = Path("docs") / "reference" / "matching-accuracy.md"
_COMMAND = "python -m pipelines.evaluation.lesion_matching.page OUT CACHE COHORT..."
_HEAD = f"""<!-- Written by `{_COMMAND}`: change the code, not this page. -->

# How well lesions are matched (SIMULATED patients)

What `bmnode evaluate matching` prints. **Every figure on this page is of SIMULATED patients**; none says how well
lesions are matched on people. Each pair of scans is registered as the node does it; postures, fields of view and the
lesions' fates are drawn at random.

A link is a prior and a current lesion that belong together: one that goes on, or a part of one that split or merged.
On **true masks** the lesions are the simulated ones, as the label maps hold them: what is left is the error of
registration and matching. On **masks found** they are the branch's candidates, and a link is true where the two
candidates share voxels with lesions of which one came from the other, or with one and the same benign change. What the
branch did not find is no link, and no error of matching. Links between two candidates on nothing that was simulated
have no truth: they are counted and in no figure [P]. A link between a candidate on nothing and a lesion is wrong.

An event is true by what the masks show: a lesion that is now smaller than a voxel has disappeared, and one whose place,
by the true motion of its bone, lies beyond the other field is not assessable.

Each table names the rule that it was made with, the one that met or missed its target. The rule in force is named in
[Registration](../explanation/registration.md). Beside it stands one that makes a group of all lesions of a bone whose
masks come within 10 mm of each other, `{RULES[1].method}`.
"""


def page(reports: Sequence[MatchingReport]) -> str:
    """The page of one evaluation or more."""
    parts = [_HEAD]
    for report in reports:
        parts += [
            f"## Cohort `{report.cohort}`, seed {report.seed} (SIMULATED)\n",
            f"Pairs of scans: **{report.pairs}**. Where the cohort has more, the same command goes on.\n",
            f"{report.summary}.\n",
            "| modality | masks | rule | pairs | refused | true links | made | right | precision | recall | F1 | "
            "events right | not evaluable | verdict |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            *(_line(row) for row in report.rows),
            "",
            *(line for row in report.rows if row.target and row.events for line in _confusion(row)),
        ]
    parts += ["## Targets\n", *target_lines(), ""]
    return "\n".join(parts)


def target_lines() -> tuple[str, ...]:
    """The targets, a line each."""
    return tuple(
        f"- {masks} masks: F1 of all links together {least:g} or more, no pair of scans refused."
        for masks, least in LEAST_F1.items()
    )


def _line(row: MatchingRow) -> str:
    cells = (
        row.modality,
        row.masks,
        f"`{row.method}`",
        *(str(count) for count in (row.scans, row.refused, row.true, row.proposed, row.right)),
        *("" if value is None else f"{value:.3f}" for value in (row.precision, row.recall, row.f1, row.right_events)),
        ", ".join(f"{count} {reason}" for reason, count in row.not_evaluable.items()),
        row.verdict,
    )
    return f"| {' | '.join(cells)} |"


def _confusion(row: MatchingRow) -> list[str]:
    said = sorted({event for counts in row.events.values() for event in counts})
    return [
        f"### {row.modality}, {row.masks} masks: what became of lesions, and what was said (SIMULATED)\n",
        f"| was | {' | '.join(f'said {event}' for event in said)} |",
        f"| --- |{' --- |' * len(said)}",
        *(
            f"| {event} | {' | '.join(str(counts.get(name, 0)) for name in said)} |"
            for event, counts in sorted(row.events.items())
        ),
        "",
    ]


if __name__ == "__main__":
    out, cache, *cohorts = sys.argv[1:]
    requests = [
        EvaluationRequest(cohort=cohort, out=Path(out).absolute() / Path(cohort).stem, cache_dir=Path(cache).absolute())
        for cohort in cohorts
    ]
    PAGE.write_text(page([MATCHING(request, lambda _: None) for request in requests]), encoding="utf-8")
