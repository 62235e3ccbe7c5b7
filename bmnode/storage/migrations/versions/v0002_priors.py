"""Earlier examinations: a job may wait for one; whose study is whose; what is looked for and what was fetched."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bmnode.storage.migrations.checks import replace_check
from bmnode.storage.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BEFORE = "'queued', 'running', 'succeeded', 'failed', 'cancelled'"


def upgrade() -> None:
    """Allow the state, create the tables."""
    replace_check("jobs", "ck_jobs_state_known", f"state IN ('awaiting_prior', {_BEFORE})")
    op.create_table(
        "examinations",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("patient_digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.study_uid"], name=op.f("fk_examinations_study_uid")),
        sa.PrimaryKeyConstraint("study_uid", name=op.f("pk_examinations")),
    )
    op.create_index(op.f("ix_examinations_patient_digest"), "examinations", ["patient_digest"], unique=False)
    op.create_table(
        "prior_searches",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("run_by", UtcDateTime(), nullable=False),
        sa.Column("search_until", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("wanted_study_uid", sa.String(length=64), nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("folder", sa.Text(), nullable=True),
        sa.Column("compared", sa.String(length=64), server_default="", nullable=False),
        sa.Column("used", sa.String(length=64), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_prior_searches_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_prior_searches")),
    )
    op.create_table(
        "fetched_priors",
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("archive", sa.String(length=64), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("is_whole", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("study_uid", name=op.f("pk_fetched_priors")),
    )


def downgrade() -> None:
    """Drop the tables; a job that waits for an earlier examination waits for its run."""
    for table in ("fetched_priors", "prior_searches", "examinations"):
        op.drop_table(table)
    op.execute("UPDATE jobs SET state = 'queued' WHERE state = 'awaiting_prior'")
    replace_check("jobs", "ck_jobs_state_known", f"state IN ({_BEFORE})")
