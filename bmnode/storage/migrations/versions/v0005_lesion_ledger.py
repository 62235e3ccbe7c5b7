"""The lesions of patients over time, as their reports have them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_REPORT = "ledger_reports.report_uid"
_UID = sa.String(length=64)


def upgrade() -> None:
    """Create the tables."""
    _create_reports()
    op.create_table(
        "ledger_observations",
        sa.Column("report_uid", _UID, nullable=False),
        sa.Column("tracking_uid", _UID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("tracking_id", sa.Text(), nullable=False),
        *_code("finding", nullable=False),
        *_code("site", nullable=True),
        *_code("laterality", nullable=True),
        *_code("event", nullable=True),
        sa.Column("segmentation_uid", _UID, nullable=True),
        sa.Column("segmentation_series_uid", _UID, nullable=True),
        sa.Column("segment_number", sa.Integer(), nullable=True),
        _of_report("ledger_observations"),
        sa.PrimaryKeyConstraint("report_uid", "tracking_uid", name=op.f("pk_ledger_observations")),
    )
    op.create_index(op.f("ix_ledger_observations_tracking_uid"), "ledger_observations", ["tracking_uid"], unique=False)
    op.create_table(
        "ledger_links",
        sa.Column("report_uid", _UID, nullable=False),
        sa.Column("tracking_uid", _UID, nullable=False),
        sa.Column("earlier_uid", _UID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_uid", "tracking_uid"],
            ["ledger_observations.report_uid", "ledger_observations.tracking_uid"],
            name=op.f("fk_ledger_links_report_uid"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("report_uid", "tracking_uid", "earlier_uid", name=op.f("pk_ledger_links")),
    )
    _create_values()


def downgrade() -> None:
    """Drop the tables; `bmnode ledger rebuild` fills them again after an upgrade."""
    for table in ("evaluations", "measurements", "links", "observations", "predecessors", "reports"):
        op.drop_table(f"ledger_{table}")


def _create_reports() -> None:
    op.create_table(
        "ledger_reports",
        sa.Column("report_uid", _UID, nullable=False),
        sa.Column("study_uid", _UID, nullable=False),
        sa.Column("patient_digest", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=64), nullable=False),
        sa.Column("studied_on", sa.Date(), nullable=True),
        sa.Column("branch", sa.String(length=16), nullable=False),
        sa.Column("pipeline", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("report_uid", name=op.f("pk_ledger_reports")),
    )
    for column in ("study_uid", "patient_digest"):
        op.create_index(op.f(f"ix_ledger_reports_{column}"), "ledger_reports", [column], unique=False)
    op.create_table(
        "ledger_predecessors",
        sa.Column("report_uid", _UID, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("predecessor_uid", _UID, nullable=False),
        _of_report("ledger_predecessors"),
        sa.PrimaryKeyConstraint("report_uid", "position", name=op.f("pk_ledger_predecessors")),
    )
    op.create_index(
        op.f("ix_ledger_predecessors_predecessor_uid"), "ledger_predecessors", ["predecessor_uid"], unique=False
    )


def _create_values() -> None:
    op.create_table(
        "ledger_measurements",
        sa.Column("report_uid", _UID, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tracking_uid", _UID, nullable=True),
        *_code("concept", nullable=False),
        *_code("derivation", nullable=True),
        sa.Column("value", sa.Float(precision=53), nullable=False),
        *_code("unit", nullable=False),
        sa.Column("method", sa.String(length=64), nullable=False),
        _of_report("ledger_measurements"),
        sa.PrimaryKeyConstraint("report_uid", "position", name=op.f("pk_ledger_measurements")),
    )
    op.create_table(
        "ledger_evaluations",
        sa.Column("report_uid", _UID, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tracking_uid", _UID, nullable=True),
        *_code("concept", nullable=False),
        *_code("value", nullable=False),
        _of_report("ledger_evaluations"),
        sa.PrimaryKeyConstraint("report_uid", "position", name=op.f("pk_ledger_evaluations")),
    )


def _of_report(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_report_uid")
    return sa.ForeignKeyConstraint(["report_uid"], [_REPORT], name=name, ondelete="CASCADE")


def _code(name: str, *, nullable: bool) -> tuple[sa.Column[str], ...]:
    sizes = (("code", 16), ("scheme", 16), ("meaning", 64))
    return tuple(sa.Column(f"{name}_{part}", sa.String(length=size), nullable=nullable) for part, size in sizes)
