"""Makes the lesion ledger of the reports that a place has. A report that is known already is not read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bmnode.clock import Clock
from bmnode.domain.pipelines import Progress, ReportProgress
from bmnode.errors import DeliveryError, ResultError
from bmnode.storage import AuditTrail, Database, Ledger
from bmnode.work.ledger import ledger_entry_of
from bmnode.work.ledger_sources import ReportPlace, ReportSource


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A report that may be bmnode's and could not be taken in: its SOP Instance UID, and why."""

    sop_instance_uid: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rebuilt:
    """What came of one place.

    Args:
        studies: that may have reports.
        added, known: reports that were taken in now, and that had been before.
        others: SR that are no root report of bmnode.
        is_complete: False where the place has more studies than it told of.
    """

    place: str
    studies: int
    added: int = 0
    known: int = 0
    others: int = 0
    failures: tuple[Failure, ...] = ()
    is_complete: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerRebuild:
    """Adds what is missing; deletes nothing. Every report is a transaction of its own: what was done stays done.

    Args:
        actor: who asked, for the audit trail.
    """

    database: Database
    clock: Clock
    actor: str

    def run(self, source: ReportSource, report: ReportProgress) -> Rebuilt:
        """Take in the reports of one place. Raises DeliveryError where an archive is out of reach."""
        outcomes: list[str | Failure] = []
        try:
            listed = source.studies()
            for number, study_uid in enumerate(listed.uids):
                report(_progress(source.name, number, of=len(listed.uids)))
                outcomes += [self._take(source, place) for place in source.reports(study_uid)]
        except DeliveryError as error:
            self._audit(source.name, {"added": outcomes.count("added"), "error": type(error).__name__}, failed=True)
            raise
        failures = tuple(item for item in outcomes if isinstance(item, Failure))
        done = Rebuilt(
            place=source.name,
            studies=len(listed.uids),
            added=outcomes.count("added"),
            known=outcomes.count("known"),
            others=outcomes.count("others"),
            failures=failures,
            is_complete=listed.is_complete,
        )
        detail = {"added": done.added, "known": done.known, "failed": len(failures)}
        self._audit(source.name, detail, failed=bool(failures) or not done.is_complete)
        return done

    def _take(self, source: ReportSource, place: ReportPlace) -> str | Failure:
        with self.database.read() as connection:
            if Ledger(connection).has(place.sop_instance_uid):
                return "known"
        try:
            entry = ledger_entry_of(source.read(place))
        except ResultError as error:
            return Failure(sop_instance_uid=place.sop_instance_uid, reason=str(error))
        if entry is None:
            return "others"
        with self.database.write() as connection:
            Ledger(connection).put(entry)
        return "added"

    def _audit(self, place: str, detail: Mapping[str, object], *, failed: bool) -> None:
        with self.database.write() as connection:
            AuditTrail(connection).record(
                "ledger_rebuilt",
                at=self.clock.now(),
                actor=self.actor,
                subject="node",
                outcome="failure" if failed else "success",
                detail={"place": place, **detail},
            )


def _progress(place: str, number: int, *, of: int) -> Progress:
    """A step a hundredth: a whole archive is no more lines than that where there is no terminal."""
    hundredth = number * 100 // of
    return Progress(fraction=number / of, step=f"{place}, study {hundredth * of // 100 + 1} of {of}")
