"""What vector services hold of the channels."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "collections",
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("service", sa.String(255), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("channel", "service"),
        if_not_exists=True,
    )
