"""Storage commitment: an object may be taken and not committed yet; what was asked, and what was answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bmnode.storage.migrations.checks import replace_check
from bmnode.storage.tables import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BEFORE = "'pending', 'delivered', 'dead'"
_UID = sa.String(length=64)


def upgrade() -> None:
    """Allow the state, create the tables."""
    replace_check("deliveries", "ck_deliveries_state_known", f"state IN ('stored', {_BEFORE})")
    op.create_table(
        "commitment_requests",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("transaction_uid", _UID, nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("asked_ae", sa.String(length=16), nullable=False),
        sa.Column("ask", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_commitment_requests_job_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_commitment_requests")),
        sa.UniqueConstraint("transaction_uid", name=op.f("uq_commitment_requests_transaction_uid")),
    )
    for column in ("job_id", "settled_at"):
        op.create_index(op.f(f"ix_commitment_requests_{column}"), "commitment_requests", [column], unique=False)
    op.create_table(
        "commitment_objects",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("owed_uid", _UID, nullable=False),
        sa.Column("sop_instance_uid", _UID, nullable=False),
        sa.Column("sop_class_uid", _UID, nullable=False),
        sa.Column("committed", sa.Boolean(), nullable=True),
        sa.Column("failure_reason", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["number"],
            ["commitment_requests.number"],
            name=op.f("fk_commitment_objects_number"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", "owed_uid", "sop_instance_uid", name=op.f("pk_commitment_objects")),
    )


def downgrade() -> None:
    """Drop the tables; what was not committed yet is sent again."""
    for table in ("commitment_objects", "commitment_requests"):
        op.drop_table(table)
    op.execute("UPDATE deliveries SET state = 'pending' WHERE state = 'stored'")
    replace_check("deliveries", "ck_deliveries_state_known", f"state IN ({_BEFORE})")
