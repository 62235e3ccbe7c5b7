"""Edited results as a reader's viewer saves them, made with highdicom and not with bmnode's own writer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
import numpy.typing as npt
from highdicom.sr import CodedConcept
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import UID

from bmnode.domain.ids import derive_uid

TISSUE = CodedConcept("85756007", "SCT", "Tissue")
LESION = CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure")
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One segment as a viewer has it: label, voxels (slice, row, column), and the tracking if the viewer kept it."""

    label: str
    mask: Mask
    uid: str | None = None
    name: str = ""
    category: CodedConcept = LESION


def save_segmentation(
    images: Sequence[Path],
    drawn: Sequence[Drawn],
    path: Path,
    *,
    kind: str = "BINARY",
    omit_empty: bool = False,
    syntax: str = "1.2.840.10008.1.2.1",
) -> Dataset:
    """A SEG of the slices in the order of the masks' first axis."""
    headers = sorted((dcmread(item) for item in images), key=lambda item: int(item.InstanceNumber))
    described = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=item.label,
            segmented_property_category=item.category,
            segmented_property_type=TISSUE,
            algorithm_type="MANUAL",
            tracking_uid=item.uid,
            tracking_id=None if item.uid is None else item.name,
        )
        for number, item in enumerate(drawn, 1)
    ]
    pixels = np.stack([item.mask for item in drawn], axis=-1).astype(np.uint8)
    seg = hd.seg.Segmentation(
        source_images=headers,
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=described,
        series_instance_uid=derive_uid("viewer", "series", path.name),
        series_number=77,
        sop_instance_uid=derive_uid("viewer", path.name),
        instance_number=1,
        manufacturer="Viewer",
        manufacturer_model_name="Viewer",
        software_versions="1",
        device_serial_number="1",
        omit_empty_frames=omit_empty,
        transfer_syntax_uid=UID(syntax),
    )
    seg.save_as(path)
    return seg


def edit_report(original: Path, path: Path, *, without: Iterable[str] = (), verified: bool = True) -> Dataset:
    """The report as a reader leaves it who deletes groups and signs: another instance that names the original."""
    dataset = dcmread(original)
    previous = (dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.SeriesInstanceUID)
    for container in dataset.ContentSequence:
        if container.ConceptNameCodeSequence[0].CodeValue == "126010":
            kept = [group for group in container.ContentSequence if tracking_of(group) not in set(without)]
            container.ContentSequence = kept
    dataset.SOPInstanceUID = derive_uid("viewer", path.name)
    dataset.SeriesInstanceUID = derive_uid("viewer", "series", path.name)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.Manufacturer = "Viewer"
    if verified:
        dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "VERIFIED"
        observer = Dataset()
        observer.VerifyingOrganization, observer.VerifyingObserverName = "Clinic", "Reader^R"
        observer.VerificationDateTime = "20260102120000"
        observer.VerifyingObserverIdentificationCodeSequence = []
        dataset.VerifyingObserverSequence = [observer]
    dataset.PredecessorDocumentsSequence = [_reference(dataset.StudyInstanceUID, *previous)]
    dataset.save_as(path)
    return dataset


def groups_of(dataset: Dataset) -> list[Dataset]:
    """The measurement groups of a report."""
    return [
        group
        for container in dataset.ContentSequence
        if container.ConceptNameCodeSequence[0].CodeValue == "126010"
        for group in container.ContentSequence
    ]


def tracking_of(group: Dataset) -> str:
    """The Tracking Unique Identifier of a group."""
    return next(
        str(item.UID) for item in group.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "112040"
    )


def save_viewer_report(images: Sequence[Path], path: Path, *, uid: str, ring: npt.NDArray[np.float64]) -> Dataset:
    """A TID 1500 report of one outline in OHIF's words: its tool's name, free text as a code, no methods."""
    header = dcmread(images[0], stop_before_pixels=True)
    group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=uid, identifier="Cornerstone3DTools@^0.1.0:PlanarFreehandROI"),
        referenced_region=hd.sr.ImageRegion(
            graphic_type=hd.sr.GraphicTypeValues.POLYLINE,
            graphic_data=ring,
            source_image=hd.sr.SourceImageForRegion.from_source_image(header),
        ),
        finding_type=codes.SCT.Lesion,
        measurements=[hd.sr.Measurement(name=codes.SCT.Area, value=12.5, unit=codes.UCUM.SquareMillimeter)],
    )
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(
            observer_person_context=hd.sr.ObserverContext(
                observer_type=codes.DCM.Person,
                observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(name="Reader^R"),
            )
        ),
        procedure_reported=CodedConcept("25045-6", "LN", "CT unspecified body region"),
        imaging_measurements=[group],
    )
    dataset = hd.sr.Comprehensive3DSR(
        evidence=[header],
        content=report,
        series_instance_uid=derive_uid("viewer", "series", path.name),
        series_number=78,
        sop_instance_uid=derive_uid("viewer", path.name),
        instance_number=1,
        manufacturer="Viewer",
    )
    for item in groups_of(dataset)[0].ContentSequence:
        if item.ConceptNameCodeSequence[0].CodeValue == "121071":
            item.ConceptCodeSequence[0].CodeValue = "CORNERSTONEFREETEXT"
            item.ConceptCodeSequence[0].CodingSchemeDesignator = "CORNERSTONEJS"
            item.ConceptCodeSequence[0].CodeMeaning = "looks sclerotic"
    dataset.save_as(path)
    return dataset


def _reference(study_uid: str, sop_class: str, sop_instance: str, series_uid: str) -> Dataset:
    instance, series, study = Dataset(), Dataset(), Dataset()
    instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID = sop_class, sop_instance
    series.SeriesInstanceUID, series.ReferencedSOPSequence = series_uid, [instance]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = study_uid, [series]
    return study
