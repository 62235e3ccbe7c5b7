"""When a study is complete: an interface, and the quiet time behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bmnode.domain.records import StudyRecord
from bmnode.domain.states import StudyState


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a policy says of a study: complete, or to be judged again at a time."""

    wait_until: datetime | None
    """None: the study is complete."""
    reason: str
    """One word for the log: what decided."""

    @property
    def is_complete(self) -> bool:
        """Whether the study can be frozen."""
        return self.wait_until is None


class CompletenessPolicy(Protocol):
    """How the node knows that a study is complete."""

    def due_at(self, study: StudyRecord | None, at: datetime) -> datetime:
        """When to judge a study next, on the arrival of an image. `study` is as it was before; None: its first."""
        ...

    def judge(self, study: StudyRecord, now: datetime) -> Verdict:
        """Whether a study that is due is complete."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class QuietTime:
    """Complete when nothing arrived for `quiet_s`, or `ceiling_s` after it was opened, whichever comes first.

    A study is opened by its first image, and again by the first late one.

    Raises ValueError for a ceiling below the quiet time, or times that are not positive.
    """

    quiet_s: float
    ceiling_s: float

    def __post_init__(self) -> None:
        if not 0 < self.quiet_s <= self.ceiling_s:
            raise ValueError(f"quiet_s ({self.quiet_s:g}) is positive and not above ceiling_s ({self.ceiling_s:g})")

    def due_at(self, study: StudyRecord | None, at: datetime) -> datetime:
        """The end of the quiet time that starts now, or the ceiling."""
        quiet = at + timedelta(seconds=self.quiet_s)
        if study is None:
            return quiet
        ceiling = self._ceiling(study)
        return quiet if ceiling is None else min(quiet, ceiling)

    def judge(self, study: StudyRecord, now: datetime) -> Verdict:
        """Complete at the end of the quiet time or at the ceiling."""
        quiet = study.last_received_at + timedelta(seconds=self.quiet_s)
        ceiling = self._ceiling(study)
        if now >= quiet:
            return Verdict(wait_until=None, reason="quiet")
        if ceiling is not None and now >= ceiling:
            return Verdict(wait_until=None, reason="ceiling")
        return Verdict(wait_until=quiet if ceiling is None else min(quiet, ceiling), reason="arriving")

    def _ceiling(self, study: StudyRecord) -> datetime | None:
        """None for a study that is not receiving: the image at hand opens it, and its time begins now."""
        if study.state is not StudyState.RECEIVING:
            return None
        return study.opened_at + timedelta(seconds=self.ceiling_s)
