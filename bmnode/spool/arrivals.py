"""What the database is told of an instance that has its file: by the acceptor, and by replay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from bmnode.domain.records import StoredInstance, StudyRecord
from bmnode.spool.inspect import InstanceIdentity
from bmnode.storage import AuditTrail, Instances, Studies

DueAt = Callable[[StudyRecord | None, datetime], datetime]
"""When a study is to be judged, given the study before an image (None: its first image) and the image's time."""


def stored_instance(
    identity: InstanceIdentity, *, sha256: str, size_bytes: int, source_ae: str, received_at: datetime
) -> StoredInstance:
    """The row of an instance."""
    return StoredInstance(
        sop_instance_uid=identity.sop_instance_uid,
        sop_class_uid=identity.sop_class_uid,
        transfer_syntax_uid=identity.transfer_syntax_uid,
        study_uid=identity.study_uid,
        series_uid=identity.series_uid,
        sha256=sha256,
        size_bytes=size_bytes,
        source_ae=source_ae,
        received_at=received_at,
    )


def record_arrival(connection: sa.Connection, instance: StoredInstance, *, due_at: DueAt, event: str) -> None:
    """Count the image in its study, add its row and audit it, in the transaction of the connection."""
    studies = Studies(connection)
    at = instance.received_at
    studies.image_arrived(
        instance.study_uid,
        source_ae=instance.source_ae,
        at=at,
        due_at=due_at(studies.find(instance.study_uid), at),
    )
    Instances(connection).add(instance)
    AuditTrail(connection).record(
        event,
        at=at,
        actor=instance.source_ae,
        subject=instance.sop_instance_uid,
        detail={"sha256": instance.sha256, "size_bytes": instance.size_bytes, "study_uid": instance.study_uid},
    )
