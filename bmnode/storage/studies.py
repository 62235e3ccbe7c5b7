"""Studies and their revisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from bmnode.domain.ids import digest
from bmnode.domain.records import RevisionRecord, StudyRecord
from bmnode.domain.states import STUDY_TRANSITIONS, StudyEvent, StudyState, advance
from bmnode.errors import NotFoundError
from bmnode.storage.tables import instances, revision_instances, revisions, studies

IMAGES_DELETED = "images_deleted"
"""Decision on a revision of which images were deleted before it was frozen."""
DueAt = Callable[[StudyRecord | None, datetime], datetime]
"""When a study is to be judged, given the study before an image (None: its first image) and the image's time."""


def inputs_digest(inputs: Iterable[tuple[str, str]], *, rejections: int) -> str:
    """What names a set of images, each given as (SOP Instance UID, SHA-256), in whatever order.

    After a rejection the same images are another work than before it: what was made of them then is deleted.
    """
    parts = [part for item in sorted(inputs) for part in item]
    return digest([*parts, f"rejected {rejections}"] if rejections else parts)


def _study(row: sa.RowMapping) -> StudyRecord:
    return StudyRecord(**{**row, "state": StudyState(row["state"])})


def _with_image(
    known: StudyRecord | None, study_uid: str, *, source_ae: str, at: datetime, due_at: datetime
) -> StudyRecord:
    """A study after one more image."""
    if known is None:
        return StudyRecord(
            study_uid=study_uid,
            state=StudyState.RECEIVING,
            version=1,
            revision=0,
            instance_count=1,
            source_ae=source_ae,
            first_received_at=at,
            opened_at=at,
            last_received_at=at,
            due_at=due_at,
        )
    return replace(
        known,
        state=advance(STUDY_TRANSITIONS, known.state, StudyEvent.IMAGE_ARRIVED),
        version=known.version + 1,
        instance_count=known.instance_count + 1,
        source_ae=source_ae,
        opened_at=known.opened_at if known.state is StudyState.RECEIVING else at,
        last_received_at=at,
        due_at=due_at,
    )


class Studies:
    """The studies and revisions tables on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def find(self, study_uid: str, *, lock: bool = False) -> StudyRecord | None:
        """The study, or None. With `lock` nobody else changes it until the transaction ends."""
        query = sa.select(studies).where(studies.c.study_uid == study_uid)
        if lock:
            query = query.with_for_update()  # SQLite knows no such thing: whoever writes has the database
        row = self._connection.execute(query).mappings().first()
        return None if row is None else _study(row)

    def get(self, study_uid: str, *, lock: bool = False) -> StudyRecord:
        """The study, as `find` gives it. Raises NotFoundError."""
        found = self.find(study_uid, lock=lock)
        if found is None:
            raise NotFoundError(f"no study {study_uid} was received; `bmnode study list` shows those that were")
        return found

    def list(self, *, limit: int = 100) -> Sequence[StudyRecord]:
        """The latest studies, newest first."""
        query = sa.select(studies).order_by(studies.c.last_received_at.desc()).limit(limit)
        return [_study(row) for row in self._connection.execute(query).mappings()]

    def image_arrived(self, study_uid: str, *, source_ae: str, at: datetime, due_at: datetime) -> StudyRecord:
        """Count one more image: opens the study, or re-opens it, and puts off its judgement to `due_at`."""
        return self.images_arrived(study_uid, ((source_ae, at),), due_at=lambda _study, _at: due_at)

    def images_arrived(self, study_uid: str, images: Sequence[tuple[str, datetime]], *, due_at: DueAt) -> StudyRecord:
        """Count images, given as (sender, time) in their order, as if each had come by itself."""
        known = self.find(study_uid)
        study = known
        for source_ae, at in images:
            study = _with_image(study, study_uid, source_ae=source_ae, at=at, due_at=due_at(study, at))
        if study is None or known is study:
            return self.get(study_uid)
        row = {column.name: getattr(study, column.name) for column in studies.columns}
        if known is None:
            self._connection.execute(studies.insert().values(row))
        else:
            self._update(study_uid, **{name: value for name, value in row.items() if name != "study_uid"})
        return study

    def image_restored(self, study_uid: str, *, source_ae: str, at: datetime, due_at: DueAt) -> None:
        """An image whose file had been deleted came again. A study that waits for it is judged once more.

        It waits while it receives, or where its last revision could not be assessed for want of deleted images.
        """
        study = self.get(study_uid, lock=True)
        last = self.find_revision(study_uid, study.revision)
        waits = last is not None and last.decision == IMAGES_DELETED and study.state is StudyState.COMPLETE
        if waits or study.state is StudyState.RECEIVING:
            opened = _with_image(study, study_uid, source_ae=source_ae, at=at, due_at=due_at(study, at))
            changed = ("state", "version", "source_ae", "opened_at", "last_received_at", "due_at")
            self._update(study_uid, **{name: getattr(opened, name) for name in changed})

    def due(self, at: datetime) -> Sequence[StudyRecord]:
        """Studies still receiving whose time has come, longest waiting first."""
        query = (
            sa.select(studies)
            .where(studies.c.state == StudyState.RECEIVING, studies.c.due_at <= at)
            .order_by(studies.c.due_at)
        )
        return [_study(row) for row in self._connection.execute(query).mappings()]

    def set_back(self, at: datetime) -> Sequence[str]:
        """Let studies that received an image later than now have received it now; returns which.

        Their times are of a clock that has been set back since: they would wait until it has caught up.
        """
        query = sa.select(studies).where(studies.c.state == StudyState.RECEIVING, studies.c.last_received_at > at)
        found = [_study(row) for row in self._connection.execute(query).mappings()]
        for study in found:
            self._update(
                study.study_uid,
                opened_at=min(study.opened_at, at),
                last_received_at=at,
                due_at=at + ((study.due_at or study.last_received_at) - study.last_received_at),
            )
        return [study.study_uid for study in found]

    def postpone(self, study_uid: str, *, due_at: datetime) -> None:
        """Judge the study later."""
        self._update(study_uid, due_at=due_at)

    def freeze(self, study_uid: str, *, at: datetime) -> RevisionRecord:
        """Close the study as its next revision, undecided; the same instances as before give the same revision.

        Raises TransitionError where the study is not receiving.
        """
        study = self.get(study_uid)
        state = advance(STUDY_TRANSITIONS, study.state, StudyEvent.QUIET)
        rows = self._connection.execute(
            sa.select(instances.c.sop_instance_uid, instances.c.sha256)
            .where(instances.c.study_uid == study_uid)
            .order_by(instances.c.sop_instance_uid)
        ).all()
        found = [(row.sop_instance_uid, row.sha256) for row in rows]
        input_digest = inputs_digest(found, rejections=study.rejections)
        self._update(study_uid, state=state, due_at=None)
        last = self.find_revision(study_uid, study.revision)
        if last is not None and last.input_digest == input_digest:
            return last
        revision = study.revision + 1
        self._connection.execute(
            revisions.insert().values(
                study_uid=study_uid,
                revision=revision,
                input_digest=input_digest,
                instance_count=len(rows),
                created_at=at,
                decision="undecided",
                explanation="",
            )
        )
        self._connection.execute(
            revision_instances.insert(),
            [{"study_uid": study_uid, "revision": revision, "sop_instance_uid": row.sop_instance_uid} for row in rows],
        )
        self._update(study_uid, revision=revision)
        return self.get_revision(study_uid, revision)

    def decide(self, study_uid: str, revision: int, *, branch: str | None, decision: str, explanation: str) -> None:
        """Write down what selection said of a revision."""
        self._connection.execute(
            revisions.update()
            .where(revisions.c.study_uid == study_uid, revisions.c.revision == revision)
            .values(branch=branch, decision=decision, explanation=explanation)
        )

    def reject(self, study_uid: str) -> StudyRecord:
        """Take the study out of work by hand; its images are deleted with it, see `delete_content`."""
        study = self.get(study_uid, lock=True)
        state = advance(STUDY_TRANSITIONS, study.state, StudyEvent.REJECTED)
        self._update(study_uid, state=state, due_at=None, instance_count=0, rejections=study.rejections + 1)
        return self.get(study_uid)

    def find_revision(self, study_uid: str, revision: int) -> RevisionRecord | None:
        """The revision, or None."""
        query = sa.select(revisions).where(revisions.c.study_uid == study_uid, revisions.c.revision == revision)
        row = self._connection.execute(query).mappings().first()
        return None if row is None else RevisionRecord(**row)

    def get_revision(self, study_uid: str, revision: int) -> RevisionRecord:
        """The revision. Raises NotFoundError."""
        found = self.find_revision(study_uid, revision)
        if found is None:
            raise NotFoundError(f"study {study_uid} has no revision {revision}")
        return found

    def revisions(self, study_uid: str) -> Sequence[RevisionRecord]:
        """All revisions, the first first."""
        query = sa.select(revisions).where(revisions.c.study_uid == study_uid).order_by(revisions.c.revision)
        return [RevisionRecord(**row) for row in self._connection.execute(query).mappings()]

    def _update(self, study_uid: str, **values: object) -> None:
        self._connection.execute(studies.update().where(studies.c.study_uid == study_uid).values(**values))
