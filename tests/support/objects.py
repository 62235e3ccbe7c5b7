"""Small DICOM objects of every kind that the node sends or receives, with identifiers derived from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
from pydicom import Dataset, FileDataset
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import (
    UID,
    ComprehensiveSRStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    NuclearMedicineImageStorage,
    SecondaryCaptureImageStorage,
)

from bmnode.domain.ids import derive_uid

ROWS, COLUMNS = 16, 12


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyMaker:
    """Writes the instances of one patient's study; equal seeds give equal identifiers."""

    directory: Path
    seed: str
    study_date: str = "20260115"
    transfer_syntax_uid: str = ExplicitVRLittleEndian

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return derive_uid(self.seed, "study")

    @property
    def patient_id(self) -> str:
        """Patient ID."""
        return f"P{self.study_uid[-8:]}"

    def series_uid(self, modality: str) -> str:
        """Series Instance UID of the series of a modality."""
        return derive_uid(self.seed, "series", modality)

    def ct(self, count: int = 3) -> tuple[Path, ...]:
        """A CT series of `count` slices, 5 mm apart."""
        return tuple(self._write(self._ct_slice(number), f"ct{number}") for number in range(1, count + 1))

    def nm(self) -> Path:
        """A planar NM image of two frames."""
        image = self._image("NM", NuclearMedicineImageStorage, 1, frames=2)
        image.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
        return self._write(image, "nm")

    def sc(self, modality: str = "OT") -> Path:
        """A Secondary Capture, of the modality that it was captured from."""
        image = self._image(modality, SecondaryCaptureImageStorage, 1)
        image.ConversionType = "WSD"
        return self._write(image, "sc")

    def sr(self) -> Path:
        """A Comprehensive SR with an empty root container."""
        report = self._instance("SR", ComprehensiveSRStorage, 1)
        report.ValueType = "CONTAINER"
        report.ContinuityOfContent = "SEPARATE"
        report.CompletionFlag = "COMPLETE"
        report.VerificationFlag = "UNVERIFIED"
        title = Dataset()
        title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = "126001", "DCM", "Oncology Report"
        report.ConceptNameCodeSequence = [title]
        return self._write(report, "sr")

    def seg(self) -> Path:
        """A binary SEG of one segment on three CT slices."""
        sources = [self._ct_slice(number) for number in (1, 2, 3)]
        mask = np.zeros((3, ROWS, COLUMNS), dtype=np.uint8)
        mask[1, 4:8, 4:8] = 1
        description = hd.seg.SegmentDescription(
            segment_number=1,
            segment_label="Lesion 1",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Lesion,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=hd.AlgorithmIdentificationSequence(
                name="test", version="1", family=codes.DCM.ArtificialIntelligence
            ),
        )
        segmentation = hd.seg.Segmentation(
            source_images=sources,
            pixel_array=mask,
            segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=[description],
            series_instance_uid=self.series_uid("SEG"),
            series_number=900,
            sop_instance_uid=derive_uid(self.seed, "instance", "SEG", "1"),
            instance_number=1,
            manufacturer="test",
            manufacturer_model_name="test",
            software_versions="1",
            device_serial_number="1",
        )
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "seg.dcm"
        segmentation.save_as(path)
        return path

    def _ct_slice(self, number: int) -> FileDataset:
        image = self._image("CT", CTImageStorage, number)
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.RescaleIntercept, image.RescaleSlope = "-1024", "1"
        image.FrameOfReferenceUID = derive_uid(self.seed, "frame of reference")
        image.PositionReferenceIndicator = ""
        image.ImagePositionPatient = [0.0, 0.0, 5.0 * number]
        image.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
        image.PixelSpacing = [2.0, 2.0]
        image.SliceThickness = "5"
        return image

    def _image(self, modality: str, sop_class_uid: str, number: int, *, frames: int = 1) -> FileDataset:
        image = self._instance(modality, sop_class_uid, number)
        pixels = np.arange(frames * ROWS * COLUMNS, dtype="<u2") + number
        if frames > 1:
            image.NumberOfFrames = frames
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.Rows, image.Columns = ROWS, COLUMNS
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
        image.PixelData = pixels.tobytes()
        return image

    def _instance(self, modality: str, sop_class_uid: str, number: int) -> FileDataset:
        instance_uid = derive_uid(self.seed, "instance", modality, str(number))
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = UID(sop_class_uid)
        meta.MediaStorageSOPInstanceUID = UID(instance_uid)
        meta.TransferSyntaxUID = UID(self.transfer_syntax_uid)
        instance = FileDataset(f"{modality}.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
        instance.SpecificCharacterSet = "ISO_IR 192"
        instance.SOPClassUID, instance.SOPInstanceUID = sop_class_uid, instance_uid
        instance.StudyInstanceUID, instance.SeriesInstanceUID = self.study_uid, self.series_uid(modality)
        instance.PatientName, instance.PatientID = f"Müller^{self.patient_id}", self.patient_id
        instance.PatientBirthDate, instance.PatientSex = "19500101", "O"
        instance.StudyDate, instance.StudyTime, instance.StudyID = self.study_date, "101500", "1"
        instance.AccessionNumber, instance.ReferringPhysicianName = "", ""
        instance.Modality, instance.SeriesNumber, instance.InstanceNumber = modality, 1, number
        instance.Manufacturer, instance.SeriesDescription = "test", f"{modality} of a test"
        return instance

    def _write(self, instance: FileDataset, name: str) -> Path:
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"{name}.dcm"
        implicit = self.transfer_syntax_uid == ImplicitVRLittleEndian
        instance.save_as(path, implicit_vr=implicit, little_endian=True, enforce_file_format=True)
        return path
