"""What deletes studies and images, put together from the settings: for the node's processes and for the commands."""

from __future__ import annotations

from bmnode.clock import Clock
from bmnode.config import Settings
from bmnode.spool import Spool
from bmnode.storage import Database
from bmnode.work.rejecting import StudyRejection
from bmnode.work.retaining import ImageRetention, RetentionRule

WORKER = "worker"
"""Who does what no person asked for, in the audit trail."""
_MB = 1024 * 1024
_HOUR_S = 3600.0


def study_rejection(settings: Settings, *, database: Database, clock: Clock) -> StudyRejection:
    """What deletes a study that an administrator rejects."""
    return StudyRejection(
        database=database, spool=_spool(settings), results_dir=settings.results_directory, clock=clock
    )


def image_retention(settings: Settings, *, database: Database, clock: Clock) -> ImageRetention:
    """What deletes images that were kept for long enough."""
    chosen = settings.retention
    rule = RetentionRule(
        assessed_s=_times(chosen.assessed_after_h, _HOUR_S),
        unassessed_s=_times(chosen.unassessed_after_h, _HOUR_S),
        below_free_bytes=_times(chosen.below_free_mb, _MB),
        until_free_bytes=_times(chosen.until_free_mb, _MB),
    )
    return ImageRetention(database=database, spool=_spool(settings), rule=rule, clock=clock)


def _times(value: float | None, unit: float) -> float | None:
    return None if value is None else value * unit


def _spool(settings: Settings) -> Spool:
    return Spool(settings.spool_directory, min_free_bytes=settings.spool.min_free_mb * _MB)
