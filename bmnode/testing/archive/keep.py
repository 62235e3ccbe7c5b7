"""How the archive keeps what it is given, whichever way it came."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from pydicom.errors import InvalidDicomError

from bmnode.testing.archive.index import ArchiveIndex, IndexedInstance


@dataclass(frozen=True, kw_only=True, slots=True)
class Shelf:
    """The archive's files and its index of them."""

    directory: Path
    index: ArchiveIndex

    def keep(self, content: bytes) -> IndexedInstance:
        """Keep a Part 10 file byte for byte; a SOP Instance UID that is there stays as it is.

        Raises OSError where the disk refuses, ValueError where it is no file that can be kept.
        """
        partial = self.directory / f"{threading.get_ident()}.part"
        try:
            partial.write_bytes(content)
            uid = _read(partial).sop_instance_uid
            there = self.index.get(uid)
            if there is not None:
                return there
            final = self.directory / f"{uid}.dcm"
            partial.replace(final)
            instance = _read(final)
            self.index.add(instance)
            return instance
        finally:
            partial.unlink(missing_ok=True)


def _read(path: Path) -> IndexedInstance:
    try:
        return IndexedInstance.from_file(path)
    except (AttributeError, EOFError, InvalidDicomError) as error:
        raise ValueError("this is no DICOM file that can be kept") from error
