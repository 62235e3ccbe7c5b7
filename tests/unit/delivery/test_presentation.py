"""Presentation contexts for a batch of files."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    RLELossless,
)

from bmnode.delivery.presentation import MAX_CONTEXTS, Outgoing, batches


def _object(sop_class_uid: str, transfer_syntax_uid: str) -> Outgoing:
    return Outgoing(
        path=Path("object.dcm"),
        sop_class_uid=sop_class_uid,
        sop_instance_uid="1.2.3",
        transfer_syntax_uid=transfer_syntax_uid,
    )


def test_the_own_transfer_syntax_is_preferred() -> None:
    """An object goes as it is where the peer takes it, whatever else the peer takes."""
    item = _object("1.2", ImplicitVRLittleEndian)
    assert item.choose({("1.2", ExplicitVRLittleEndian), ("1.2", ImplicitVRLittleEndian)}) == ImplicitVRLittleEndian


def test_a_deflated_file_goes_inflated_where_it_may() -> None:
    """A peer that takes both gets the plain one; one that takes no explicit VR gets the file as it is."""
    item = _object("1.2", DeflatedExplicitVRLittleEndian)
    both = {("1.2", ExplicitVRLittleEndian), ("1.2", DeflatedExplicitVRLittleEndian)}
    assert item.choose(both) == ExplicitVRLittleEndian
    other = {("1.2", ImplicitVRLittleEndian), ("1.2", DeflatedExplicitVRLittleEndian)}
    assert item.choose(other) == DeflatedExplicitVRLittleEndian


def test_an_accepted_syntax_of_another_class_does_not_count() -> None:
    """What the peer accepts for one SOP class says nothing of another."""
    assert _object("1.2", ExplicitVRLittleEndian).choose({("1.3", ExplicitVRLittleEndian)}) is None


def test_a_compressed_object_offers_itself_only() -> None:
    """No uncompressed context is proposed that would need decoding."""
    assert _object("1.2", JPEGLosslessSV1).pairs == (("1.2", JPEGLosslessSV1),)


def test_rle_may_be_decoded_on_the_way() -> None:
    """RLE Lossless goes as it is where the peer takes it, and plain where it does not."""
    item = _object("1.2", RLELossless)
    plain = ("1.2", ExplicitVRLittleEndian)
    assert item.choose({plain, ("1.2", RLELossless)}) == RLELossless
    assert item.choose({plain}) == ExplicitVRLittleEndian


def test_one_association_carries_a_usual_batch() -> None:
    """A thousand objects of two classes need six contexts and a single association."""
    objects = [_object("1.2", ExplicitVRLittleEndian), _object("1.3", ExplicitVRLittleEndian)] * 500
    ((batch, pairs),) = batches(objects)
    assert list(batch) == objects
    assert len(pairs) == len(set(pairs)) == 4


def test_more_classes_than_context_numbers_are_split_and_lose_nothing() -> None:
    """Every association keeps to 128 contexts, carries the contexts of its objects, and the order stays."""
    objects = [_object(f"1.2.{number}", ExplicitVRLittleEndian) for number in range(1, 201)]
    parts = list(batches(objects))
    assert [item for batch, _ in parts for item in batch] == objects
    assert all(len(pairs) <= MAX_CONTEXTS for _, pairs in parts)
    assert all(set(item.pairs) <= set(pairs) for batch, pairs in parts for item in batch)


@pytest.mark.parametrize("content", [b"", b"not DICOM", b"\0" * 128 + b"DICM"])
def test_what_is_no_dicom_file_is_a_value_error(tmp_path: Path, content: bytes) -> None:
    """Foreign, empty and headless files are told apart from DICOM by one kind of error."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="file"):
        Outgoing.from_file(path)
