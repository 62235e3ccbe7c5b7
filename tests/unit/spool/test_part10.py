"""The head of a file against pydicom's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from bmnode.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from bmnode.spool.part10 import PREAMBLE, file_head

_UIDS = st.from_regex(r"1\.2(\.[1-9][0-9]{0,8}){1,5}", fullmatch=True)
_TITLES = st.text(alphabet="ABCXYZ019_", min_size=1, max_size=16)


@given(sop_class=_UIDS, sop_instance=_UIDS, syntax=_UIDS, title=_TITLES)
def test_the_head_is_what_pydicom_writes(sop_class: str, sop_instance: str, syntax: str, title: str) -> None:
    """Byte by byte, for identifiers and titles of even and odd length."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance)
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    meta.SourceApplicationEntityTitle = title
    written = DicomBytesIO()
    written.write(PREAMBLE)
    write_file_meta_info(written, meta)
    head = file_head(
        sop_class_uid=sop_class, sop_instance_uid=sop_instance, transfer_syntax_uid=syntax, source_ae=title
    )
    assert head == written.getvalue()
