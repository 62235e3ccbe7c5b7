"""The head of a Part 10 file: preamble and file meta information (PS3.10 7.1)."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_file_meta_info
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from bmnode.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

PREAMBLE = b"\x00" * 128 + b"DICM"
_GROUP_LENGTH_ELEMENT_BYTES = 12
"""File Meta Information Group Length (0002,0000) itself, which it does not count."""


def file_head(*, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source_ae: str) -> bytes:
    """Everything of the file before the data set, which follows byte by byte as it was received."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    meta.SourceApplicationEntityTitle = source_ae
    head = DicomBytesIO()
    head.write(PREAMBLE)
    write_file_meta_info(head, meta)
    return bytes(head.getvalue())


def read_file(path: Path) -> tuple[FileMetaDataset, memoryview]:
    """A file's meta information and the encoded data set behind it.

    Raises InvalidDicomError where it is no Part 10 file, AttributeError where an element of the
    meta information is missing, OSError where it cannot be read.
    """
    meta = read_file_meta_info(path)
    start = len(PREAMBLE) + _GROUP_LENGTH_ELEMENT_BYTES + int(meta.FileMetaInformationGroupLength)
    return meta, memoryview(path.read_bytes())[start:]
