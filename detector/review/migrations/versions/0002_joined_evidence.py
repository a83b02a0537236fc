"""Cases in which a look-alike of a work and somebody of its cast come together go before others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_CASES = "review_cases"


def upgrade() -> None:
    joined: sa.Column[bool] = sa.Column(
        "is_joined", sa.Boolean(), server_default=sa.false(), nullable=False
    )
    op.add_column(_CASES, joined)
    for name, columns in (("queue", ["state", "gravity"]), ("gravest", ["gravity"])):
        op.drop_index(f"review_cases_{name}", _CASES)
        op.create_index(f"review_cases_{name}", _CASES, [*columns, "is_joined", "score"])
