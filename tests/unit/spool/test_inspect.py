"""What is read of a data set before it is kept."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
)

from bmnode.errors import MalformedInstanceError
from bmnode.spool import inspect_data_set
from bmnode.spool.elements import EncodedDataSet
from tests.support.encoded import EncodedInstance, ct_slices, encode_instance

NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
PATIENT_NAME = "Roe^Jane"


@pytest.fixture
def ct(tmp_path: Path) -> Dataset:
    """One CT slice."""
    return ct_slices(tmp_path)[0]


def _inspect(instance: EncodedInstance) -> None:
    inspect_data_set(instance.data_set, transfer_syntax_uid=instance.transfer_syntax_uid)


def _nest(dataset: Dataset, *, undefined: bool, depth: int = 3) -> None:
    """Put sequences into each other, with defined or undefined lengths."""
    inner = Dataset()
    inner.CodeValue = "1"
    for _ in range(depth):
        outer = Dataset()
        outer.AnatomicRegionSequence = [inner]
        outer["AnatomicRegionSequence"].is_undefined_length = undefined
        outer.AnatomicRegionSequence[0].is_undefined_length_sequence_item = undefined
        inner = outer
    dataset.RequestAttributesSequence = [inner]
    dataset["RequestAttributesSequence"].is_undefined_length = undefined
    dataset.RequestAttributesSequence[0].is_undefined_length_sequence_item = undefined


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("undefined", [False, True])
def test_identifiers_are_read_in_every_encoding(ct: Dataset, syntax: str, undefined: bool) -> None:
    """Every native encoding gives the same identifiers, whatever is nested between them."""
    _nest(ct, undefined=undefined)
    instance = encode_instance(ct, transfer_syntax_uid=syntax)
    identity = inspect_data_set(instance.data_set, transfer_syntax_uid=syntax)
    assert identity.sop_class_uid == ct.SOPClassUID
    assert identity.sop_instance_uid == ct.SOPInstanceUID
    assert identity.study_uid == ct.StudyInstanceUID
    assert identity.series_uid == ct.SeriesInstanceUID
    assert identity.transfer_syntax_uid == syntax


def test_the_walk_sees_every_element_that_pydicom_sees(ct: Dataset) -> None:
    """The structure is walked in step with the reference reader: the same tags in the same order."""
    _nest(ct, undefined=True)
    instance = encode_instance(ct)
    walked = EncodedDataSet(instance.data_set, transfer_syntax_uid=ExplicitVRLittleEndian).elements()
    assert [element.tag for element in walked] == [int(element.tag) for element in ct]


def test_a_real_compressed_scan_is_whole(bone_scan: Path) -> None:
    """The real bone scan, encapsulated JPEG Lossless, is read and found whole."""
    dataset = dcmread(bone_scan)
    instance = encode_instance(dataset, transfer_syntax_uid=JPEGLosslessSV1)
    identity = inspect_data_set(instance.data_set, transfer_syntax_uid=JPEGLosslessSV1)
    assert identity.sop_instance_uid == dataset.SOPInstanceUID


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), syntax=st.sampled_from(NATIVE), undefined=st.booleans())
def test_a_data_set_cut_anywhere_in_its_last_element_is_malformed(
    ct: Dataset, data: st.DataObject, syntax: str, undefined: bool
) -> None:
    """No cut inside pixel data passes for a whole data set, in any encoding."""
    _nest(ct, undefined=undefined)
    whole = encode_instance(ct, transfer_syntax_uid=syntax).data_set
    is_deflated = syntax == DeflatedExplicitVRLittleEndian
    # The last byte of a deflated stream may be padding, which can be missed.
    shortest, longest = (2, len(whole) // 2) if is_deflated else (1, len(ct.PixelData))
    missing = data.draw(st.integers(min_value=shortest, max_value=longest))
    with pytest.raises(MalformedInstanceError):
        inspect_data_set(whole[:-missing], transfer_syntax_uid=syntax)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), syntax=st.sampled_from(NATIVE))
def test_a_cut_anywhere_is_noticed_or_falls_between_elements(ct: Dataset, data: st.DataObject, syntax: str) -> None:
    """A cut data set is malformed, or its remains are a data set whose every element is whole."""
    _nest(ct, undefined=True)
    whole = encode_instance(ct, transfer_syntax_uid=syntax).data_set
    kept = whole[: data.draw(st.integers(min_value=1, max_value=len(whole) - 1))]
    try:
        inspect_data_set(kept, transfer_syntax_uid=syntax)
    except MalformedInstanceError:
        return
    walked = list(EncodedDataSet(kept, transfer_syntax_uid=syntax).elements())
    last = walked[-1]
    assert last.length is None or last.offset + last.length == len(kept)


@settings(max_examples=200, deadline=None)
@given(noise=st.binary(max_size=400), syntax=st.sampled_from(NATIVE))
def test_noise_is_malformed(noise: bytes, syntax: str) -> None:
    """Bytes that are no DICOM raise nothing but MalformedInstanceError."""
    with pytest.raises(MalformedInstanceError):
        inspect_data_set(noise, transfer_syntax_uid=syntax)


def test_a_whole_file_in_place_of_a_data_set_is_malformed(tmp_path: Path, bone_scan: Path) -> None:
    """A sender that puts preamble and file meta information on the wire is told so."""
    with pytest.raises(MalformedInstanceError, match=r"no place in a data set|no value representation"):
        inspect_data_set(bone_scan.read_bytes(), transfer_syntax_uid=ExplicitVRLittleEndian)


@pytest.mark.parametrize("keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
@pytest.mark.parametrize("value", [None, "", "../../etc/passwd", "1.2..3", "1" * 65, PATIENT_NAME])
def test_an_identifier_that_cannot_name_a_file_is_named_without_its_value(
    ct: Dataset, keyword: str, value: str | None
) -> None:
    """A missing, empty or impossible identifier is refused; the message has the attribute, never the value."""
    tag = ct[keyword].tag
    del ct[keyword]
    if value is not None:
        ct.add(DataElement(tag, "LO", value))
    with pytest.raises(MalformedInstanceError, match=f"{tag.group:04X},{tag.element:04X}") as caught:
        _inspect(encode_instance(ct))
    assert not value or value not in str(caught.value)


def test_an_image_without_pixel_data_is_whole(ct: Dataset) -> None:
    """Absent pixel data is for the job to refuse: the instance is taken."""
    del ct.PixelData
    _inspect(encode_instance(ct))


@pytest.mark.parametrize(("keyword", "value"), [("Rows", 17), ("NumberOfFrames", 2), ("SamplesPerPixel", 3)])
def test_native_pixel_data_must_be_as_long_as_described(ct: Dataset, keyword: str, value: int) -> None:
    """Pixel data that is whole as an element but shorter than the image it describes is malformed."""
    setattr(ct, keyword, value)
    with pytest.raises(MalformedInstanceError, match="pixel data has"):
        _inspect(encode_instance(ct))


def test_single_bit_and_subsampled_pixels_need_fewer_bytes(ct: Dataset) -> None:
    """One-bit segmentations are packed, YBR_FULL_422 stores two samples a pixel: neither is cut short."""
    ct.Rows, ct.Columns, ct.BitsAllocated, ct.NumberOfFrames = 3, 3, 1, 2
    ct.PixelData = b"\xff\xff\x03\x00"
    _inspect(encode_instance(ct))
    ct.Rows, ct.Columns, ct.BitsAllocated, ct.NumberOfFrames = 4, 4, 8, 1
    ct.SamplesPerPixel, ct.PhotometricInterpretation = 3, "YBR_FULL_422"
    ct.PixelData = bytes(32)
    _inspect(encode_instance(ct))


def test_encapsulated_pixel_data_must_end_with_its_delimiter(ct: Dataset) -> None:
    """Fragments without the sequence delimiter are cut short, even where every fragment is whole."""
    ct.PixelData = encapsulate([b"\xff\xd8" + bytes(10)])
    ct["PixelData"].is_undefined_length = True
    instance = encode_instance(ct, transfer_syntax_uid=JPEGLosslessSV1)
    _inspect(instance)
    assert instance.data_set[-8:-4] == b"\xfe\xff\xdd\xe0"
    with pytest.raises(MalformedInstanceError, match=r"\(7FE0,0010\) is cut short"):
        inspect_data_set(instance.data_set[:-8], transfer_syntax_uid=JPEGLosslessSV1)


def test_implicit_sequences_inside_explicit_data_sets_are_tolerated(ct: Dataset) -> None:
    """A private sequence whose items are in implicit VR, as known scanners write it, does not cost the image."""
    inner = struct.pack("<HHL", 0x0009, 0x1001, 4) + b"\x01\x02\x03\x04"
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + inner + struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
    private = struct.pack("<HH2sxxL", 0x0009, 0x1000, b"SQ", 0xFFFFFFFF) + item
    private += struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    inspect_data_set(private + encode_instance(ct).data_set, transfer_syntax_uid=ExplicitVRLittleEndian)


def test_trailing_zeros_are_tolerated(ct: Dataset) -> None:
    """Zeros behind the last element are padding, not a cut."""
    instance = encode_instance(ct)
    inspect_data_set(instance.data_set + bytes(13), transfer_syntax_uid=ExplicitVRLittleEndian)
    with pytest.raises(MalformedInstanceError):  # it may be the first byte of a tag that was cut off
        inspect_data_set(instance.data_set + bytes(1), transfer_syntax_uid=ExplicitVRLittleEndian)


def test_endless_nesting_is_refused(ct: Dataset) -> None:
    """Sequences nested without end are refused before they cost the stack."""
    opening = struct.pack("<HH2sxxL", 0x0040, 0xA730, b"SQ", 0xFFFFFFFF)
    opening += struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    with pytest.raises(MalformedInstanceError, match="nests deeper"):
        inspect_data_set(opening * 5000, transfer_syntax_uid=ExplicitVRLittleEndian)


def test_a_decompression_bomb_is_refused() -> None:
    """A deflated data set that grows beyond the limit is refused while it grows."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = deflater.compress(bytes(1 << 24)) + deflater.flush()
    with pytest.raises(MalformedInstanceError, match="grows beyond"):
        EncodedDataSet(bomb, transfer_syntax_uid=DeflatedExplicitVRLittleEndian, max_inflated_bytes=1 << 20)
