"""Where earlier examinations are: the node's own store, and archives that move them into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bmnode.clock import Clock
from bmnode.domain.peers import Peer
from bmnode.domain.records import StoredInstance
from bmnode.domain.states import StudyState
from bmnode.errors import DeliveryError, NotFoundError, PeerUnreachableError
from bmnode.priors.asking import ArchiveQuestion, Told
from bmnode.priors.examination import Examination
from bmnode.priors.identity import patient_digest
from bmnode.priors.reading import Site, read_examination, read_whole
from bmnode.storage import AuditTrail, Database, Examinations, FetchedPriors, Instances, Studies

REJECTED = "rejected"
"""Objection: an administrator took the study out of work, whatever was wrong with it."""
_ACTOR = "worker"
_FILED_WITHIN_S = 60.0
"""An instance that was acknowledged has its file and its row moments later."""
_LOOK_AGAIN_S = 0.1


class Mover(Protocol):
    """Has a peer send a study to this node; see `bmnode.archive.StudyMover`, `WadoGetter`."""

    def move(self, peer: Peer, study_uid: str) -> int:
        """The number of instances sent. Raises DeliveryError, NotFoundError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeStore:
    """An `OwnStore`: what was received, but for studies of which a part was fetched and no more came."""

    database: Database
    locate: Callable[[StoredInstance], Path]
    site: Site

    def of_patient(self, patient_id: str) -> Sequence[Examination]:
        """The studies under a Patient ID, by one file a series."""
        found: list[Examination] = []
        with self.database.read() as connection:
            uids = Examinations(connection).of_patient(patient_digest(patient_id))
            fetched = {uid: FetchedPriors(connection).find(uid) for uid in uids}
            whole = [uid for uid in uids if (record := fetched[uid]) is None or record.is_whole]
            instances = {uid: Instances(connection).of_study(uid) for uid in whole}
        for study_uid, items in instances.items():
            if any(item.deleted_at is not None for item in items):
                continue  # an archive may have it still
            one_a_series = {item.series_uid: item for item in reversed(items)}
            files = [self.locate(item) for item in one_a_series.values()]
            examination = read_examination(files, study_uid=study_uid, site=self.site)
            if examination is not None:
                found.append(examination)
        return found

    def objection(self, study_uid: str) -> str | None:
        """Whether an administrator took it out of work; it was deleted then, and is not to come back by itself."""
        with self.database.read() as connection:
            study = Studies(connection).find(study_uid)
        return REJECTED if study is not None and study.state is StudyState.REJECTED else None

    def look_at(self, study_uid: str) -> tuple[Examination | None, str | None]:
        """A study by all of its files, and why it takes no branch or an administrator took it out of work."""
        with self.database.read() as connection:
            instances = Instances(connection).of_study(study_uid)
        if any(item.deleted_at is not None for item in instances):
            return None, self.objection(study_uid)
        files = [self.locate(item) for item in instances]
        found, refusal = read_whole(files, study_uid=study_uid, site=self.site)
        return found, self.objection(study_uid) or refusal


@dataclass(frozen=True, kw_only=True, slots=True)
class MovingArchive:
    """An `ArchivePlace` that is asked and sends: by C-MOVE through the node's own listener, or on our own request.

    What is fetched is received as everything is: durable before it is acknowledged, audited, refused for the same
    reasons. The study is marked before it is asked for, so that it starts no job of its own.
    """

    question: ArchiveQuestion
    mover: Mover
    database: Database
    clock: Clock

    @property
    def name(self) -> str:
        """Of the peer."""
        return self.question.peer.name

    def candidates(self, current: Examination) -> Told:
        """What it has of the patient; the question is audited. Raises DeliveryError."""
        try:
            told = self.question.candidates(current)
        except DeliveryError as error:
            self._audit("study_queried", current.study_uid, error=error)
            raise
        detail = {"matches": len(told.examinations), "complete": told.is_complete}
        self._audit("study_queried", current.study_uid, detail=detail)
        return told

    def fetch(self, study_uid: str) -> None:
        """Have the study sent, and wait until it is in the store. Raises DeliveryError, NotFoundError."""
        with self.database.write() as connection:
            fetched = FetchedPriors(connection)
            comes_by_itself = Studies(connection).find(study_uid) is not None and fetched.find(study_uid) is None
            if not comes_by_itself:
                fetched.begin(study_uid, archive=self.name, at=self.clock.now())
        is_whole = False
        try:
            sent = self.mover.move(self.question.peer, study_uid)
            self._wait_for(study_uid, count=sent)
            is_whole = True
        except (DeliveryError, NotFoundError) as error:
            self._audit("prior_fetched", study_uid, error=error)
            raise
        finally:
            if not comes_by_itself:
                with self.database.write() as connection:
                    FetchedPriors(connection).end(study_uid, at=self.clock.now(), is_whole=is_whole)
        self._audit("prior_fetched", study_uid, detail={"instances": sent})

    def _wait_for(self, study_uid: str, *, count: int) -> None:
        until_s = self.clock.monotonic_s() + _FILED_WITHIN_S
        while True:
            with self.database.read() as connection:
                here = sum(item.deleted_at is None for item in Instances(connection).of_study(study_uid))
            if here >= count:
                return
            if self.clock.monotonic_s() > until_s:
                raise PeerUnreachableError(f"peer {self.name} says that it sent {count} instances; {here} came")
            self.clock.sleep_s(_LOOK_AGAIN_S)

    def _audit(
        self,
        event: str,
        study_uid: str,
        *,
        detail: Mapping[str, object] | None = None,
        error: Exception | None = None,
    ) -> None:
        told = {"archive": self.name, **(detail or {})} | ({} if error is None else {"error": type(error).__name__})
        with self.database.write() as connection:
            AuditTrail(connection).record(
                event,
                at=self.clock.now(),
                actor=_ACTOR,
                subject=study_uid,
                outcome="success" if error is None else "failure",
                detail=told,
            )
