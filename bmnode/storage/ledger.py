"""The lesions of patients over time. A report is written whole or not at all; the same report twice is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, TypeVar

import sqlalchemy as sa

from bmnode.domain.codes import Code
from bmnode.domain.ledger import LedgerEntry, LedgerPatient, Observation, SegmentPlace, in_order
from bmnode.domain.results import Evaluation, Measurement, Outcome
from bmnode.storage.tables import (
    ledger_evaluations,
    ledger_links,
    ledger_measurements,
    ledger_observations,
    ledger_predecessors,
    ledger_reports,
)

T = TypeVar("T")
_Rows = list[dict[str, Any]]
_OF_REPORTS = (ledger_predecessors, ledger_observations, ledger_links, ledger_measurements, ledger_evaluations)
"""Parents first: each row names its report."""


class Ledger:
    """The ledger's tables on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put(self, entry: LedgerEntry) -> None:
        """Write what a report says; what was written of the same report before goes."""
        for table in (*reversed(_OF_REPORTS), ledger_reports):
            self._connection.execute(table.delete().where(table.c.report_uid == entry.report_uid))
        self._connection.execute(ledger_reports.insert().values(_report_row(entry)))
        for table, rows in _rows(entry).items():
            if rows:
                self._connection.execute(table.insert(), rows)

    def has(self, report_uid: str) -> bool:
        """Whether a report was written, current or not."""
        query = sa.select(ledger_reports.c.report_uid).where(ledger_reports.c.report_uid == report_uid)
        return self._connection.execute(query).first() is not None

    def of_patient(self, digest: str) -> Sequence[LedgerEntry]:
        """The current reports under a Patient ID, of whatever issuer, by day."""
        return self._current(ledger_reports.c.patient_digest == digest)

    def of_study(self, study_uid: str) -> Sequence[LedgerEntry]:
        """The current reports on a study."""
        return self._current(ledger_reports.c.study_uid == study_uid)

    def current(self) -> Sequence[LedgerEntry]:
        """Every current report, by day."""
        return self._current(sa.true())

    def _current(self, condition: sa.ColumnElement[bool]) -> Sequence[LedgerEntry]:
        """Reports of which no other one took the place, in whatever order they were written."""
        replaced = sa.select(ledger_predecessors.c.predecessor_uid)
        query = sa.select(ledger_reports).where(condition, ledger_reports.c.report_uid.not_in(replaced))
        return in_order([self._entry(row) for row in self._connection.execute(query).mappings().all()])

    def _entry(self, row: sa.RowMapping) -> LedgerEntry:
        uid = row["report_uid"]
        links: dict[str, list[str]] = {}
        for link in self._of(ledger_links, uid):
            links.setdefault(link["tracking_uid"], []).append(link["earlier_uid"])
        measured = _by_lesion(self._of(ledger_measurements, uid), _measurement)
        judged = _by_lesion(self._of(ledger_evaluations, uid), _evaluation)
        return LedgerEntry(
            report_uid=uid,
            study_uid=row["study_uid"],
            patient=LedgerPatient(digest=row["patient_digest"], issuer=row["issuer"]),
            studied_on=row["studied_on"],
            branch=row["branch"],
            pipeline=row["pipeline"],
            outcome=Outcome(row["outcome"]),
            synthetic=row["synthetic"],
            predecessor_uids=tuple(item["predecessor_uid"] for item in self._of(ledger_predecessors, uid)),
            observations=tuple(
                _observation(
                    item,
                    came_from=tuple(links.get(item["tracking_uid"], ())),
                    measurements=tuple(measured.get(item["tracking_uid"], ())),
                    evaluations=tuple(judged.get(item["tracking_uid"], ())),
                )
                for item in self._of(ledger_observations, uid)
            ),
            measurements=tuple(measured.get(None, ())),
            evaluations=tuple(judged.get(None, ())),
        )

    def _of(self, table: sa.Table, report_uid: str) -> Sequence[sa.RowMapping]:
        query = sa.select(table).where(table.c.report_uid == report_uid).order_by(table.c.position)
        return self._connection.execute(query).mappings().all()


# --- rows ------------------------------------------------------------------------------


def _report_row(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "report_uid": entry.report_uid,
        "study_uid": entry.study_uid,
        "patient_digest": entry.patient.digest,
        "issuer": entry.patient.issuer,
        "studied_on": entry.studied_on,
        "branch": entry.branch,
        "pipeline": entry.pipeline,
        "outcome": entry.outcome.value,
        "synthetic": entry.synthetic,
    }


def _rows(entry: LedgerEntry) -> dict[sa.Table, _Rows]:
    """By table, parents first; numbers and answers are counted through the report, the study's own last."""
    rows: dict[sa.Table, _Rows] = {table: [] for table in _OF_REPORTS}
    head = {"report_uid": entry.report_uid}
    for position, uid in enumerate(entry.predecessor_uids):
        rows[ledger_predecessors].append({**head, "position": position, "predecessor_uid": uid})
    for position, item in enumerate(entry.observations):
        rows[ledger_observations].append({**head, "position": position, **_observation_row(item)})
        for place, uid in enumerate(item.came_from):
            link = {"tracking_uid": item.tracking_uid, "earlier_uid": uid, "position": place}
            rows[ledger_links].append({**head, **link})
    numbers, answers = count(), count()
    for tracking_uid, measurements, evaluations in _said(entry):
        for number in measurements:
            rows[ledger_measurements].append(
                {**head, "position": next(numbers), "tracking_uid": tracking_uid, **_measurement_row(number)}
            )
        for answer in evaluations:
            concept, value = _code_row("concept", answer.concept), _code_row("value", answer.value)
            rows[ledger_evaluations].append(
                {**head, "position": next(answers), "tracking_uid": tracking_uid, **concept, **value}
            )
    return rows


def _said(entry: LedgerEntry) -> Iterator[tuple[str | None, Sequence[Measurement], Sequence[Evaluation]]]:
    for item in entry.observations:
        yield item.tracking_uid, item.measurements, item.evaluations
    yield None, entry.measurements, entry.evaluations


def _observation_row(item: Observation) -> dict[str, Any]:
    place = item.segment
    return {
        "tracking_uid": item.tracking_uid,
        "tracking_id": item.tracking_id,
        **_code_row("finding", item.finding_type),
        **_code_row("site", item.site),
        **_code_row("laterality", item.laterality),
        **_code_row("event", item.event),
        "segmentation_uid": None if place is None else place.sop_instance_uid,
        "segmentation_series_uid": None if place is None else place.series_uid,
        "segment_number": None if place is None else place.number,
    }


def _measurement_row(item: Measurement) -> dict[str, Any]:
    codes = {
        **_code_row("concept", item.concept),
        **_code_row("derivation", item.derivation),
        **_code_row("unit", item.unit),
    }
    return {"value": item.value, "method": item.method, **codes}


def _code_row(name: str, code: Code | None) -> dict[str, str | None]:
    parts = (None, None, None) if code is None else (code.value, code.scheme, code.meaning)
    return dict(zip((f"{name}_code", f"{name}_scheme", f"{name}_meaning"), parts, strict=True))


# --- and back --------------------------------------------------------------------------


def _by_lesion(rows: Sequence[sa.RowMapping], read: Callable[[sa.RowMapping], T]) -> dict[str | None, list[T]]:
    found: dict[str | None, list[T]] = {}
    for row in rows:
        found.setdefault(row["tracking_uid"], []).append(read(row))
    return found


def _observation(
    row: sa.RowMapping,
    *,
    came_from: tuple[str, ...],
    measurements: tuple[Measurement, ...],
    evaluations: tuple[Evaluation, ...],
) -> Observation:
    segment = None
    if row["segmentation_uid"] is not None:
        segment = SegmentPlace(
            sop_instance_uid=row["segmentation_uid"],
            series_uid=row["segmentation_series_uid"],
            number=row["segment_number"],
        )
    return Observation(
        tracking_id=row["tracking_id"],
        tracking_uid=row["tracking_uid"],
        finding_type=_known_code(row, "finding"),
        site=_code(row, "site"),
        laterality=_code(row, "laterality"),
        segment=segment,
        came_from=came_from,
        measurements=measurements,
        evaluations=evaluations,
    )


def _measurement(row: sa.RowMapping) -> Measurement:
    return Measurement(
        concept=_known_code(row, "concept"),
        value=row["value"],
        unit=_known_code(row, "unit"),
        method=row["method"],
        derivation=_code(row, "derivation"),
    )


def _evaluation(row: sa.RowMapping) -> Evaluation:
    return Evaluation(concept=_known_code(row, "concept"), value=_known_code(row, "value"))


def _code(row: sa.RowMapping, name: str) -> Code | None:
    return None if row[f"{name}_code"] is None else _known_code(row, name)


def _known_code(row: sa.RowMapping, name: str) -> Code:
    return Code(row[f"{name}_code"], row[f"{name}_scheme"], row[f"{name}_meaning"])
