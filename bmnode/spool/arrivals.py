"""What the database is told of an instance that has its file: by the acceptor, and by replay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from bmnode.domain.records import StoredInstance
from bmnode.spool.inspect import InstanceIdentity
from bmnode.storage import AuditLine, AuditTrail, DueAt, Instances, Studies


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
    record_arrivals(connection, (instance,), due_at=due_at, event=event)


def record_arrivals(connection: sa.Connection, arrived: Sequence[StoredInstance], *, due_at: DueAt, event: str) -> None:
    """The same for many images in the order in which they came, in a few statements."""
    by_study: dict[str, list[tuple[str, datetime]]] = {}
    for instance in arrived:
        by_study.setdefault(instance.study_uid, []).append((instance.source_ae, instance.received_at))
    for study_uid, images in by_study.items():
        Studies(connection).images_arrived(study_uid, images, due_at=due_at)
    Instances(connection).add_all(arrived)
    AuditTrail(connection).record_all(
        [
            AuditLine(
                event=event,
                at=instance.received_at,
                actor=instance.source_ae,
                subject=instance.sop_instance_uid,
                detail={
                    "sha256": instance.sha256,
                    "size_bytes": instance.size_bytes,
                    "study_uid": instance.study_uid,
                },
            )
            for instance in arrived
        ]
    )
