"""What is sent to receivers: data sets of a scanner's size under identifiers of their own, encoded beforehand."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, NuclearMedicineImageStorage
from pynetdicom.dsutils import encode

from bmnode.spool.part10 import file_head

_PLACE = "2.25.1" + "0" * 30
"""Stands for the SOP Instance UID in a template; as long as every one that replaces it."""
_STUDY_PLACE = "2.25.2" + "0" * 30
_SENDER = "BENCH"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of image: its class, matrix and frames of 16 bits."""

    name: str
    sop_class_uid: str
    modality: str
    rows: int
    columns: int
    frames: int = 1


CT = Kind(name="CT 0.5 MB", sop_class_uid=CTImageStorage, modality="CT", rows=512, columns=512)
SMALL = Kind(name="64x64", sop_class_uid=CTImageStorage, modality="CT", rows=64, columns=64)
BONE_SCAN = Kind(
    name="bone scan", sop_class_uid=NuclearMedicineImageStorage, modality="NM", rows=1024, columns=256, frames=2
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """One object, encoded in explicit VR little endian."""

    sop_class_uid: str
    sop_instance_uid: str
    data_set: bytes


def instances(kind: Kind, *, run: int, count: int) -> Sequence[Instance]:
    """So many objects of one study; the study and every identifier belong to this run alone."""
    template = _template(kind)
    study = f"2.25.2{run:030d}".encode()
    made = []
    for number in range(count):
        uid = f"2.25.1{run:020d}{number:010d}"
        data_set = template.replace(_PLACE.encode(), uid.encode()).replace(_STUDY_PLACE.encode(), study)
        made.append(Instance(sop_class_uid=kind.sop_class_uid, sop_instance_uid=uid, data_set=data_set))
    return made


def write_files(directory: Path, objects: Sequence[Instance]) -> None:
    """The objects as files, for senders that read files."""
    directory.mkdir(parents=True)
    for number, item in enumerate(objects):
        head = file_head(
            sop_class_uid=item.sop_class_uid,
            sop_instance_uid=item.sop_instance_uid,
            transfer_syntax_uid=ExplicitVRLittleEndian,
            source_ae=_SENDER,
        )
        (directory / f"{number:05d}.dcm").write_bytes(head + item.data_set)


def store_message(item: Instance, *, message_id: int, context_id: int, pdu_bytes: int) -> bytes:
    """A whole C-STORE request, cut into P-DATA-TF PDUs (PS3.7 Table 9.3-1, PS3.8 9.3.5)."""
    command = (
        _element(0x0002, _even(item.sop_class_uid))
        + _element(0x0100, struct.pack("<H", 0x0001))
        + _element(0x0110, struct.pack("<H", message_id))
        + _element(0x0700, struct.pack("<H", 0))
        + _element(0x0800, struct.pack("<H", 0x0001))
        + _element(0x1000, _even(item.sop_instance_uid))
    )
    command = _element(0x0000, struct.pack("<L", len(command))) + command
    parts = [_pdata(context_id, command, control=3)]
    step = pdu_bytes - 6
    for at in range(0, len(item.data_set), step):
        last = at + step >= len(item.data_set)
        parts.append(_pdata(context_id, item.data_set[at : at + step], control=2 if last else 0))
    return b"".join(parts)


def _pdata(context_id: int, piece: bytes, *, control: int) -> bytes:
    return struct.pack(">BxLLBB", 0x04, len(piece) + 6, len(piece) + 2, context_id, control) + piece


def _element(element: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0x0000, element, len(value)) + value


def _even(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)


def _template(kind: Kind) -> bytes:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind.sop_class_uid, _PLACE
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = "20260101"
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = "120000"
    dataset.AccessionNumber, dataset.Modality, dataset.Manufacturer = "A1", kind.modality, "BENCHMARK"
    dataset.StudyDescription, dataset.SeriesDescription = "benchmark", "benchmark"
    dataset.PatientName, dataset.PatientID, dataset.PatientSex = "BENCHMARK^ONE", "BENCH1", "O"
    dataset.SliceThickness, dataset.KVP = "1.0", "120"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = _STUDY_PLACE, _STUDY_PLACE + ".1"
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", "1", "1"
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = ["0", "0", "0"], ["1", "0", "0", "0", "1", "0"]
    dataset.FrameOfReferenceUID = "2.25.3"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    if kind.frames > 1:
        dataset.NumberOfFrames = str(kind.frames)
    dataset.Rows, dataset.Columns, dataset.PixelSpacing = kind.rows, kind.columns, ["1", "1"]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.WindowCenter, dataset.WindowWidth = "40", "400"
    dataset.RescaleIntercept, dataset.RescaleSlope = "-1024", "1"
    pixels = np.random.default_rng(1).integers(0, 4096, size=kind.rows * kind.columns * kind.frames, dtype=np.uint16)
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    encoded = encode(dataset, is_implicit_vr=False, is_little_endian=True)
    if encoded is None:
        raise ValueError(f"the template of {kind.name} cannot be encoded")
    return encoded
