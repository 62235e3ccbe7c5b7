"""A result in words, for readers of text: the document, the pictures, and viewers that show a report item by item.

Numbers are rounded to three digits here; exactly they stand in the report's coded content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bmnode.domain.codes import Code, Unit
from bmnode.domain.results import Evaluation, FindingResult, Measurement, Outcome, ResultSet
from bmnode.results.text import plain

_UNIT_TEXT: Mapping[Code, str] = {
    Unit.HU: "HU",
    Unit.SUV_BW: "g/ml",
    Unit.NO_UNITS: "",
    Unit.RATIO: "",
    Unit.COUNT: "",
    Unit.COUNTS: "counts",
    Unit.PIXELS: "pixels",
}
"""Units whose UCUM symbol a person would not read; the others show theirs."""


def measurement_text(item: Measurement) -> str:
    """A number as a person reads it: what, value, unit."""
    derivation = "" if item.derivation is None else f" {item.derivation.meaning.lower()}"
    unit = _UNIT_TEXT.get(item.unit, item.unit.value)
    value = f"{item.value:.0f}" if abs(item.value) >= 100 else f"{item.value:.3g}"
    return f"{item.concept.meaning}{derivation} {value} {unit}".rstrip()


def finding_lines(number: int, finding: FindingResult) -> Iterator[str]:
    """A finding: its name and place, then a line for everything that was judged and measured of it."""
    where = " ".join(code.meaning for code in (finding.laterality, finding.site) if code is not None)
    yield f"{number}: {finding.tracking_id}" + (f", {where}" if where else "")
    yield from (f"- {line}" for line in evaluation_lines(finding.evaluations))
    yield from (f"- {with_method(item)}" for item in finding.measurements)


def evaluation_lines(evaluations: Iterable[Evaluation]) -> list[str]:
    """What was judged, one line each."""
    return [f"{item.concept.meaning}: {item.value.meaning}" for item in evaluations]


def with_method(item: Measurement) -> str:
    """A number and how it was measured."""
    return f"{measurement_text(item)} ({item.method})"


def findings_in_words(result_set: ResultSet) -> tuple[str, ...]:
    """One text a finding, in their order, a line for every number of it."""
    return tuple(
        plain("\r\n".join(finding_lines(number, finding))) for number, finding in enumerate(result_set.findings, 1)
    )


def study_in_words(result_set: ResultSet) -> tuple[str, ...]:
    """One text of what was judged and measured on the whole study; none where there is nothing or no result."""
    lines = [*evaluation_lines(result_set.evaluations), *map(with_method, result_set.measurements)]
    is_said = bool(lines) and result_set.outcome is Outcome.ASSESSED
    return (plain("\r\n".join(f"- {line}" for line in lines)),) if is_said else ()
