"""The tables. Invariants live here first; code is the second line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from bmnode.domain.states import DeliveryState, JobState, StudyState


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """Aware UTC on both sides; SQLite keeps no zone of its own."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """To the database: refuses naive values."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - as above
        """From the database: always aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _one_of(column: str, values: type[StudyState] | type[JobState] | type[DeliveryState]) -> sa.CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({allowed})", name=f"{column}_known")


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_UID = sa.String(64)

studies = sa.Table(
    "studies",
    metadata,
    sa.Column("study_uid", _UID, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
    sa.Column("instance_count", sa.Integer, nullable=False),
    sa.Column("source_ae", sa.String(16), nullable=False),
    sa.Column("first_received_at", UtcDateTime, nullable=False),
    sa.Column("opened_at", UtcDateTime, nullable=False),
    sa.Column("last_received_at", UtcDateTime, nullable=False),
    sa.Column("due_at", UtcDateTime, index=True),
    sa.Column("rejections", sa.Integer, nullable=False, server_default="0"),
    _one_of("state", StudyState),
)

instances = sa.Table(
    "instances",
    metadata,
    sa.Column("sop_instance_uid", _UID, primary_key=True),
    sa.Column("sop_class_uid", _UID, nullable=False),
    sa.Column("transfer_syntax_uid", _UID, nullable=False),
    sa.Column("study_uid", _UID, sa.ForeignKey("studies.study_uid"), nullable=False, index=True),
    sa.Column("series_uid", _UID, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("source_ae", sa.String(16), nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False),
    sa.Column("deleted_at", UtcDateTime),
)

revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("study_uid", _UID, sa.ForeignKey("studies.study_uid"), primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("input_digest", sa.String(64), nullable=False),
    sa.Column("instance_count", sa.Integer, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("branch", sa.String(16)),
    sa.Column("decision", sa.String(32), nullable=False),
    sa.Column("explanation", sa.Text, nullable=False),
)

revision_instances = sa.Table(
    "revision_instances",
    metadata,
    sa.Column("study_uid", _UID, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("sop_instance_uid", _UID, sa.ForeignKey("instances.sop_instance_uid"), primary_key=True),
    sa.ForeignKeyConstraint(["study_uid", "revision"], ["revisions.study_uid", "revisions.revision"]),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("job_id", sa.String(64), primary_key=True),
    sa.Column("study_uid", _UID, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("pipeline", sa.String(64), nullable=False),
    sa.Column("pipeline_version", sa.String(64), nullable=False),
    sa.Column("input_digest", sa.String(64), nullable=False),
    sa.Column("route", sa.String(64), nullable=False),
    sa.Column("destinations", sa.JSON, nullable=False),
    sa.Column("label_in", sa.JSON, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("progress", sa.Float, nullable=False, server_default="0"),
    sa.Column("step", sa.String(64), nullable=False, server_default=""),
    sa.Column("outcome", sa.String(32)),
    sa.Column("reason", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("started_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    sa.UniqueConstraint("study_uid", "pipeline", "pipeline_version", "input_digest", name="uq_jobs_same_work"),
    sa.ForeignKeyConstraint(["study_uid", "revision"], ["revisions.study_uid", "revisions.revision"]),
    _one_of("state", JobState),
)

job_events = sa.Table(
    "job_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("job_id", sa.String(64), sa.ForeignKey("jobs.job_id"), nullable=False, index=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("event", sa.String(32), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)

examinations = sa.Table(
    "examinations",
    metadata,
    sa.Column("study_uid", _UID, sa.ForeignKey("studies.study_uid"), primary_key=True),
    sa.Column("patient_digest", sa.String(64), nullable=False, index=True),
)

prior_searches = sa.Table(
    "prior_searches",
    metadata,
    sa.Column("job_id", sa.String(64), sa.ForeignKey("jobs.job_id"), primary_key=True),
    sa.Column("run_by", UtcDateTime, nullable=False),
    sa.Column("search_until", UtcDateTime, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("wanted_study_uid", _UID),
    sa.Column("outcome", sa.String(32)),
    sa.Column("folder", sa.Text),
    sa.Column("compared", sa.String(64), nullable=False, server_default=""),
    sa.Column("used", sa.String(64), nullable=False, server_default=""),
)

fetched_priors = sa.Table(
    "fetched_priors",
    metadata,
    sa.Column("study_uid", _UID, primary_key=True),
    sa.Column("archive", sa.String(64), nullable=False),
    sa.Column("began_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("is_whole", sa.Boolean, nullable=False, server_default=sa.false()),
)

results = sa.Table(
    "results",
    metadata,
    sa.Column("sop_instance_uid", _UID, primary_key=True),
    sa.Column("sop_class_uid", _UID, nullable=False),
    sa.Column("series_uid", _UID, nullable=False),
    sa.Column("job_id", sa.String(64), sa.ForeignKey("jobs.job_id"), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)


def _code(name: str, *, nullable: bool = False) -> tuple[sa.Column[str], ...]:
    """A coded concept in three columns: value, scheme, meaning."""
    sizes = (("code", 16), ("scheme", 16), ("meaning", 64))
    return tuple(sa.Column(f"{name}_{part}", sa.String(size), nullable=nullable) for part, size in sizes)


ledger_reports = sa.Table(
    "ledger_reports",
    metadata,
    sa.Column("report_uid", _UID, primary_key=True),
    sa.Column("study_uid", _UID, nullable=False, index=True),
    sa.Column("patient_digest", sa.String(64), nullable=False, index=True),
    sa.Column("issuer", sa.String(64), nullable=False),
    sa.Column("studied_on", sa.Date),
    sa.Column("branch", sa.String(16), nullable=False),
    sa.Column("pipeline", sa.Text, nullable=False),
    sa.Column("outcome", sa.String(32), nullable=False),
    sa.Column("synthetic", sa.Boolean, nullable=False),
)

ledger_predecessors = sa.Table(
    "ledger_predecessors",
    metadata,
    sa.Column("report_uid", _UID, sa.ForeignKey("ledger_reports.report_uid", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("predecessor_uid", _UID, nullable=False, index=True),
)

ledger_observations = sa.Table(
    "ledger_observations",
    metadata,
    sa.Column("report_uid", _UID, sa.ForeignKey("ledger_reports.report_uid", ondelete="CASCADE"), primary_key=True),
    sa.Column("tracking_uid", _UID, primary_key=True, index=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("tracking_id", sa.Text, nullable=False),
    *_code("finding"),
    *_code("site", nullable=True),
    *_code("laterality", nullable=True),
    *_code("event", nullable=True),
    sa.Column("segmentation_uid", _UID),
    sa.Column("segmentation_series_uid", _UID),
    sa.Column("segment_number", sa.Integer),
)

ledger_links = sa.Table(
    "ledger_links",
    metadata,
    sa.Column("report_uid", _UID, primary_key=True),
    sa.Column("tracking_uid", _UID, primary_key=True),
    sa.Column("earlier_uid", _UID, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.ForeignKeyConstraint(
        ["report_uid", "tracking_uid"],
        ["ledger_observations.report_uid", "ledger_observations.tracking_uid"],
        ondelete="CASCADE",
    ),
)

ledger_measurements = sa.Table(
    "ledger_measurements",
    metadata,
    sa.Column("report_uid", _UID, sa.ForeignKey("ledger_reports.report_uid", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tracking_uid", _UID),
    *_code("concept"),
    *_code("derivation", nullable=True),
    sa.Column("value", sa.Float(53), nullable=False),
    *_code("unit"),
    sa.Column("method", sa.String(64), nullable=False),
)

ledger_evaluations = sa.Table(
    "ledger_evaluations",
    metadata,
    sa.Column("report_uid", _UID, sa.ForeignKey("ledger_reports.report_uid", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tracking_uid", _UID),
    *_code("concept"),
    *_code("value"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("sop_instance_uid", _UID, sa.ForeignKey("results.sop_instance_uid"), primary_key=True),
    sa.Column("destination", sa.String(64), primary_key=True),
    sa.Column("job_id", sa.String(64), sa.ForeignKey("jobs.job_id"), nullable=False, index=True),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_status", sa.Integer),
    sa.Column("last_error", sa.Text),
    sa.Column("next_attempt_at", UtcDateTime),
    sa.Column("delivered_at", UtcDateTime),
    _one_of("state", DeliveryState),
)

commitment_requests = sa.Table(
    "commitment_requests",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("transaction_uid", _UID, nullable=False, unique=True),
    sa.Column("job_id", sa.String(64), sa.ForeignKey("jobs.job_id"), nullable=False, index=True),
    sa.Column("destination", sa.String(64), nullable=False),
    sa.Column("asked_ae", sa.String(16), nullable=False),
    sa.Column("ask", sa.Integer, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("asked_at", UtcDateTime),
    sa.Column("answered_at", UtcDateTime),
    sa.Column("settled_at", UtcDateTime, index=True),
)

commitment_objects = sa.Table(
    "commitment_objects",
    metadata,
    sa.Column("number", sa.Integer, sa.ForeignKey("commitment_requests.number", ondelete="CASCADE"), primary_key=True),
    sa.Column("owed_uid", _UID, primary_key=True),
    sa.Column("sop_instance_uid", _UID, primary_key=True),
    sa.Column("sop_class_uid", _UID, nullable=False),
    sa.Column("committed", sa.Boolean),
    sa.Column("failure_reason", sa.Integer),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(128), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
)
