"""Instances that were acknowledged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from bmnode.domain.records import StoredInstance
from bmnode.errors import NotFoundError
from bmnode.storage.database import Database
from bmnode.storage.tables import instances, revision_instances


class InstanceLookup:
    """Whether an instance is known, asked for every instance that arrives: the statement is made once.

    Args:
        database: asked in a transaction of its own each time, so that every commit before the question counts.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._query: sa.Select[Any] = sa.select(sa.literal_column("1")).where(
            instances.c.sop_instance_uid == sa.bindparam("uid")
        )

    def is_known(self, sop_instance_uid: str) -> bool:
        """Whether there is a row."""
        return self._database.has_row(self._query, sop_instance_uid)


class Instances:
    """The instances table on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, instance: StoredInstance) -> None:
        """Record an instance. Its study's row must exist; a second row for a SOP Instance UID is an IntegrityError."""
        row = {column.name: getattr(instance, column.name) for column in instances.columns}
        self._connection.execute(instances.insert().values(row))

    def add_all(self, found: Sequence[StoredInstance]) -> None:
        """Record instances, as `add` does each."""
        rows = [{column.name: getattr(item, column.name) for column in instances.columns} for item in found]
        if rows:
            self._connection.execute(instances.insert(), rows)

    def find_all(self, sop_instance_uids: Sequence[str]) -> Mapping[str, StoredInstance]:
        """Those of the instances that are known, by SOP Instance UID."""
        query = sa.select(instances).where(instances.c.sop_instance_uid.in_(sop_instance_uids))
        found = [StoredInstance(**row) for row in self._connection.execute(query).mappings()]
        return {item.sop_instance_uid: item for item in found}

    def find(self, sop_instance_uid: str) -> StoredInstance | None:
        """The instance, or None."""
        query = sa.select(instances).where(instances.c.sop_instance_uid == sop_instance_uid)
        row = self._connection.execute(query).mappings().first()
        return None if row is None else StoredInstance(**row)

    def get(self, sop_instance_uid: str) -> StoredInstance:
        """The instance. Raises NotFoundError."""
        found = self.find(sop_instance_uid)
        if found is None:
            raise NotFoundError(f"no instance {sop_instance_uid} was received")
        return found

    def of_study(self, study_uid: str) -> Sequence[StoredInstance]:
        """All instances of a study, by SOP Instance UID."""
        query = sa.select(instances).where(instances.c.study_uid == study_uid).order_by(instances.c.sop_instance_uid)
        return [StoredInstance(**row) for row in self._connection.execute(query).mappings()]

    def of_class(self, sop_class_uid: str) -> Sequence[StoredInstance]:
        """All instances of a SOP Class, study by study."""
        query = sa.select(instances).where(instances.c.sop_class_uid == sop_class_uid)
        query = query.order_by(instances.c.study_uid, instances.c.sop_instance_uid)
        return [StoredInstance(**row) for row in self._connection.execute(query).mappings()]

    def of_revision(self, study_uid: str, revision: int) -> Sequence[StoredInstance]:
        """The instances that a revision froze, by SOP Instance UID."""
        query = (
            sa.select(instances)
            .join(revision_instances, revision_instances.c.sop_instance_uid == instances.c.sop_instance_uid)
            .where(revision_instances.c.study_uid == study_uid, revision_instances.c.revision == revision)
            .order_by(instances.c.sop_instance_uid)
        )
        return [StoredInstance(**row) for row in self._connection.execute(query).mappings()]

    def uids(self, *, deleted: bool | None = None) -> Sequence[tuple[str, str]]:
        """(study, SOP instance) of every instance, or only of those whose files are deleted, or are not."""
        query = sa.select(instances.c.study_uid, instances.c.sop_instance_uid)
        if deleted is not None:
            query = query.where(instances.c.deleted_at.is_not(None) if deleted else instances.c.deleted_at.is_(None))
        return [(row.study_uid, row.sop_instance_uid) for row in self._connection.execute(query)]

    def restore(self, sop_instance_uid: str) -> None:
        """Its file is there again."""
        found = instances.c.sop_instance_uid == sop_instance_uid
        self._connection.execute(instances.update().where(found).values(deleted_at=None))
