"""Encoded data sets, as they travel in a C-STORE."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom.dsutils import encode

from tests.support.objects import StudyMaker


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedInstance:
    """The bytes of a data set and what they say."""

    data_set: bytes
    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str


def encode_instance(dataset: Dataset, *, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> EncodedInstance:
    """Encode a data set; pixel data that is compressed stays as it is."""
    syntax = UID(transfer_syntax_uid)
    encoded = encode(dataset, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
    assert encoded is not None, f"cannot be encoded in {syntax.name}"
    return EncodedInstance(
        data_set=encoded,
        sop_class_uid=str(dataset.get("SOPClassUID", "")),
        sop_instance_uid=str(dataset.get("SOPInstanceUID", "")),
        study_uid=str(dataset.get("StudyInstanceUID", "")),
        series_uid=str(dataset.get("SeriesInstanceUID", "")),
        transfer_syntax_uid=transfer_syntax_uid,
    )


def ct_slices(directory: Path, *, seed: str = "ct", count: int = 1) -> list[Dataset]:
    """Data sets of a small CT series."""
    return [dcmread(path) for path in StudyMaker(directory=directory, seed=seed).ct(count)]


def encoded_ct(directory: Path, *, seed: str = "ct", count: int = 1) -> list[EncodedInstance]:
    """A small CT series, explicit VR little endian."""
    return [encode_instance(dataset) for dataset in ct_slices(directory, seed=seed, count=count)]
