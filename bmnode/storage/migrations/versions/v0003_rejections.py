"""How often a study was rejected: what it was before is another work than what comes after."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the count; nothing was deleted by a rejection before."""
    op.add_column("studies", sa.Column("rejections", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("studies") as batch:
        batch.drop_column("rejections")
