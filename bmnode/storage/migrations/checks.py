"""A CHECK constraint made anew, where a column may have a value more."""

from __future__ import annotations

from alembic import op


def replace_check(table: str, name: str, condition: str) -> None:
    """Give a table's constraint another condition. `name` is the whole one, e.g. `ck_jobs_state_known`.

    SQLite has no way to change a constraint: there the table is copied, with its rows and all that it has besides.
    """
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(op.f(name), type_="check")
        batch.create_check_constraint(op.f(name), condition)
