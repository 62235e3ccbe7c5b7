"""When an image's file was deleted because it was kept for long enough; its row stays."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bmnode.storage.tables import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the time; every image has its file."""
    op.add_column("instances", sa.Column("deleted_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    """Drop it; files that were deleted are told of as missing."""
    with op.batch_alter_table("instances") as batch:
        batch.drop_column("deleted_at")
