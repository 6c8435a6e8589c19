"""The first tables."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None


def upgrade() -> None:
    op.create_table(
        "coordinator",
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("organisation", sa.Integer),
        sa.Column("trouble", sa.Text, nullable=False),
    )
    op.create_table(
        "consents",
        sa.Column("consent_id", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("submission", sa.Text, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("consent_id", sa.Text, nullable=False, index=True),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
    )
    op.create_table(
        "progress", sa.Column("consent_id", sa.Text, primary_key=True), sa.Column("snapshot", sa.Text, nullable=False)
    )
    op.create_table(
        "evidence",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("consent_id", sa.Text, nullable=False, index=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
