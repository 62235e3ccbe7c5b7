"""Reports of storage commitment that peers bring on associations of their own (PS3.4 J.3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pynetdicom import evt
from sqlalchemy.exc import SQLAlchemyError

from bmnode.archive.commit import INVALID_ARGUMENT, PROCESSING_FAILURE, SUCCESS, read_report
from bmnode.clock import Clock
from bmnode.storage import Commitments, Database


class ReportRefusal(StrEnum):
    """Why a report is refused, as the audit trail says it."""

    UNREADABLE = "unreadable"
    NOT_OF_PEER = "not_of_peer"
    UNKNOWN_TRANSACTION = "unknown_transaction"
    """No request of this Transaction UID was made to this AE title; or its study was rejected since."""
    DATABASE_UNAVAILABLE = "database_unavailable"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportAnswer:
    """The status of the response, and what was wrong."""

    status: int
    refusal: ReportRefusal | None = None
    transaction_uid: str | None = None
    """None where the report could not be read."""
    committed: int = 0
    failed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitmentReports:
    """Writes reports down before they are answered; the working process acts on them.

    Args:
        database: where requests and reports are.
        clock: dates reports.
    """

    database: Database
    clock: Clock

    def take(self, event: evt.Event, *, from_ae: str, is_peer: bool) -> ReportAnswer:
        """Read and keep one report. `is_peer`: whether the caller is one of the configuration."""
        if not is_peer:
            return ReportAnswer(status=PROCESSING_FAILURE, refusal=ReportRefusal.NOT_OF_PEER)
        try:
            report = read_report(event)
        except Exception:  # noqa: BLE001 - the boundary to pydicom: a peer's bytes make it raise anything
            return ReportAnswer(status=PROCESSING_FAILURE, refusal=ReportRefusal.UNREADABLE)
        if isinstance(report, int):
            return ReportAnswer(status=report, refusal=ReportRefusal.UNREADABLE)
        try:
            with self.database.write() as connection:
                is_known = Commitments(connection).answer(report, from_ae=from_ae, at=self.clock.now())
        except SQLAlchemyError:
            return ReportAnswer(
                status=PROCESSING_FAILURE,
                refusal=ReportRefusal.DATABASE_UNAVAILABLE,
                transaction_uid=report.transaction_uid,
            )
        return ReportAnswer(
            status=SUCCESS if is_known else INVALID_ARGUMENT,
            refusal=None if is_known else ReportRefusal.UNKNOWN_TRANSACTION,
            transaction_uid=report.transaction_uid,
            committed=len(report.committed),
            failed=len(report.failed),
        )
