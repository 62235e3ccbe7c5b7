"""Asking an archive what it has, and having it sent: C-FIND, C-MOVE and C-GET as the SCU, QIDO-RS and WADO-RS as the
user agent.

Every wait has a limit: an archive that is slow, silent or gone costs a known time and no more.
"""

from bmnode.archive.association import ArchiveLimits
from bmnode.archive.find import Answers, FindScu, Level
from bmnode.archive.move import StudyMover
from bmnode.archive.web import QidoFinder, WadoGetter, WebCaller

__all__ = ["Answers", "ArchiveLimits", "FindScu", "Level", "QidoFinder", "StudyMover", "WadoGetter", "WebCaller"]
