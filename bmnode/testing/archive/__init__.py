"""An archive in this process: C-ECHO, C-STORE, C-FIND, C-MOVE, C-GET, storage commitment and STOW-RS on loopback.

For the demo and for tests. It runs through the same contract tests as Debian's Orthanc.
"""

from bmnode.testing.archive.archive import EmbeddedArchive
from bmnode.testing.archive.commitment import CommitmentRoute
from bmnode.testing.archive.faults import ArchiveFaults
from bmnode.testing.archive.index import IndexedInstance

__all__ = ["ArchiveFaults", "CommitmentRoute", "EmbeddedArchive", "IndexedInstance"]
