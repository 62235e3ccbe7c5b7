"""Asking an archive what it has, and having it sent: C-FIND, C-MOVE and C-GET as the SCU.

Every wait has a limit: an archive that is slow, silent or gone costs a known time and no more.
"""

from bmnode.archive.association import ArchiveLimits
from bmnode.archive.find import Answers, FindScu, Level
from bmnode.archive.move import StudyMover

__all__ = ["Answers", "ArchiveLimits", "FindScu", "Level", "StudyMover"]
