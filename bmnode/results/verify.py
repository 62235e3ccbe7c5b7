"""Every result object is read back and checked before it gets its final name.

The checks are a table; they see the file as pydicom and highdicom read it, never the data set in memory that was
written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from highdicom._standard_utils import (
    check_required_attributes,
    get_iod_module_map,
    get_module_attribute_map,
    get_sop_class_iod_map,
)
from highdicom.seg import Segmentation as HighdicomSegmentation
from highdicom.seg import SegmentationTypeValues
from pydicom.dataset import Dataset

from bmnode.domain.ids import is_uid
from bmnode.domain.objects import PredecessorDocument
from bmnode.domain.results import ResultSet, Segmentation
from bmnode.errors import ResultError
from bmnode.results.captures import check_capture
from bmnode.results.character_set import header_for
from bmnode.results.concepts import (
    COMPREHENSIVE_3D_SR,
    DEFORMABLE_REGISTRATION,
    ENCAPSULATED_PDF,
    LABEL_MAP_SEGMENTATION,
    SECONDARY_CAPTURE,
    SEGMENTATION,
    SPATIAL_REGISTRATION,
)
from bmnode.results.document import check_document
from bmnode.results.examined import RELATIVE_TOLERANCE, Examined, ReadFiles, segmentation_index
from bmnode.results.grid import slice_sources
from bmnode.results.reading import (
    frame_mask,
    segment_frames,
    voxel_volume_ml,
)
from bmnode.results.sources import FramePlace, SourceStudy
from bmnode.results.verify_label_map import check_label_map
from bmnode.results.verify_planar import check_planar
from bmnode.results.verify_registration import check_registration
from bmnode.results.verify_report import check_content, check_predecessors, check_report_reads, check_segments
from bmnode.results.walk import references, uid_values

_READ_ITEM_BY_ITEM = frozenset({"sr-document-content", "segmentation-multi-frame-functional-groups"})
"""Modules whose attributes depend on the item (value type; shared or per frame): other checks read every item."""
_Check = Callable[[Examined], None]


def verify_object(
    path: Path,
    *,
    result_set: ResultSet,
    source: SourceStudy,
    siblings: Mapping[str, Path],
    predecessors: tuple[PredecessorDocument, ...] = (),
    files: ReadFiles | None = None,
) -> None:
    """Check a written object against its result set, its sources, its siblings and the reports it takes the place of.

    `files` are kept from one object to the next of the same result set, so that none is read twice. Raises ResultError
    naming the check that failed and why.
    """
    read = files or ReadFiles()
    examined = Examined(
        dataset=read.dataset(path),
        result_set=result_set,
        source=source,
        siblings=siblings,
        predecessors=predecessors,
        files=read,
    )
    sop_class = str(examined.dataset.get("SOPClassUID", ""))
    if sop_class not in _CHECKS:
        raise ResultError(f"SOP class: {sop_class!r} is none that bmnode writes")
    for name, check in (*_COMMON_CHECKS, *_CHECKS[sop_class]):
        try:
            check(examined)
        except ResultError as error:
            raise ResultError(f"{name}: {error}") from error
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            raise ResultError(f"{name}: {type(error).__name__}: {error}") from error
    read.forget(path)


# --- every object ----------------------------------------------------------------------


def _required_attributes(examined: Examined) -> None:
    """Type 1 and 2 attributes of the IOD's mandatory modules, by highdicom's tables of PS3.3."""
    dataset = examined.dataset
    iod = get_sop_class_iod_map()[str(dataset.SOPClassUID)]
    attributes = get_module_attribute_map()
    for module in get_iod_module_map()[iod]:
        if module["usage"] != "M" or module["key"] in _READ_ITEM_BY_ITEM:
            continue
        check_required_attributes(dataset, module["key"])
        for item in attributes[module["key"]]:
            keyword = str(item["keyword"])
            if item["type"] == "1" and not item["path"] and dataset[keyword].is_empty:
                raise ResultError(f"{keyword} is empty")


def _patient_and_study(examined: Examined) -> None:
    """The copied attributes equal the source's, value for value, in the character set that the texts need."""
    for element in header_for(examined.result_set, examined.source):
        written = examined.dataset.get(element.tag)
        if written is None or written != element:
            raise ResultError(f"{element.keyword or element.tag} is not that of the source")
    if str(examined.dataset.StudyInstanceUID) != examined.result_set.study_uid:
        raise ResultError("Study Instance UID is not that of the study")


def _uids(examined: Examined) -> None:
    """Every UID keeps PS3.5 9.1, but for those that the source already carries."""
    given = set(examined.source.instances) | {examined.source.study_uid}
    for instance in examined.source.instances.values():
        given |= {instance.series_uid, instance.frame_of_reference_uid, instance.sop_class_uid}
    given |= {str(value) for value in uid_values(examined.source.header)}
    for registration in examined.result_set.registrations:
        moving = registration.moving
        given |= {moving.study_uid, moving.series_uid, moving.frame_of_reference_uid}
        given |= {item.sop_instance_uid for item in moving.instances}
    for value in set(uid_values(examined.dataset)):
        if not is_uid(value) and value not in given:
            raise ResultError(f"{value!r} is no UID")


def _references(examined: Examined) -> None:
    """What is referred to exists in the source, in this result set or before it, under the stated SOP Class."""
    known = {uid: instance.sop_class_uid for uid, instance in examined.source.instances.items()}
    known |= {uid: examined.files.sop_class(path) for uid, path in examined.siblings.items()}
    known |= {item.sop_instance_uid: item.sop_class_uid for item in examined.predecessors}
    for registration in examined.result_set.registrations:
        known |= {item.sop_instance_uid: item.sop_class_uid for item in registration.moving.instances}
    for element in examined.dataset:
        if element.VR != "SQ" or element.tag in examined.source.header:
            continue
        for uid, sop_class in {pair for item in element.value for pair in references(item)}:
            if known.get(uid) != sop_class:
                raise ResultError(f"{element.keyword} refers to {uid}, which is not there under its class")


def _synthetic(examined: Examined) -> None:
    """A result of simulated images says so, and no other does."""
    says = examined.dataset.get("SyntheticData") == "YES"
    if says != examined.result_set.synthetic:
        raise ResultError("Synthetic Data (0008,001C) contradicts the result set")


# --- segmentations ---------------------------------------------------------------------


def _segmentation_reads(examined: Examined) -> None:
    """highdicom, which is strict about functional groups and dimensions, takes the object."""
    read = HighdicomSegmentation.from_dataset(examined.dataset, copy=False)
    if read.number_of_segments != len(examined.dataset.SegmentSequence):
        raise ResultError("highdicom reads another number of segments")
    if read.segmentation_type is not SegmentationTypeValues.BINARY:
        raise ResultError("the segmentation is not binary")


def _masks(examined: Examined) -> None:
    """The segmentation is that of its volume or of its view, whichever its number names."""
    if segmentation_index(examined.dataset) < len(examined.result_set.segmentations):
        _volume_masks(examined)
    else:
        check_planar(examined)


def _volume_masks(examined: Examined) -> None:
    """Every frame lies where its source lies and holds the segment's voxels, all of them and no other."""
    segmentation = examined.result_set.segmentations[segmentation_index(examined.dataset)]
    slices = slice_sources(segmentation, examined.source)
    by_source = {(item.instance.sop_instance_uid, item.frame_number): k for k, item in enumerate(slices)}
    _same_grid(examined.dataset, segmentation, slices[0].place)
    missing = [segment.mask.voxel_count for segment in segmentation.segments]
    for frame in segment_frames(examined.dataset):
        slice_index = by_source[frame.source_instance_uid, frame.source_frame_number]
        place = slices[slice_index].place
        if not np.allclose(frame.position, place.position, rtol=0.0, atol=1e-6):
            raise ResultError(f"frame {frame.index + 1} does not lie where its source lies")
        mask = segmentation.segments[frame.segment_number - 1].mask
        expected = np.zeros(segmentation.geometry.shape[1:], dtype=np.bool_)
        expected[mask.box[1:]] = mask.values[slice_index - mask.origin[0]]
        if not np.array_equal(frame_mask(examined.dataset, frame), expected):
            raise ResultError(f"frame {frame.index + 1} does not hold the voxels of segment {frame.segment_number}")
        missing[frame.segment_number - 1] -= int(np.count_nonzero(expected))
    if any(missing):
        raise ResultError("voxels of a segment are missing or repeated")


def _grid(examined: Examined) -> None:
    """The grid of a segmentation of a volume is that of its source."""
    segmentation = examined.result_set.segmentations[segmentation_index(examined.dataset)]
    _same_grid(examined.dataset, segmentation, slice_sources(segmentation, examined.source)[0].place)


def _same_grid(dataset: Dataset, segmentation: Segmentation, place: FramePlace) -> None:
    """Orientation, pixel spacing and voxel volume are those of the source (decimal strings keep 1e-9)."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    cosines = [float(value) for value in shared.PlaneOrientationSequence[0].ImageOrientationPatient]
    spacing = [float(value) for value in shared.PixelMeasuresSequence[0].PixelSpacing]
    if not np.allclose(cosines, place.orientation, rtol=0.0, atol=1e-9):
        raise ResultError("the orientation is not that of the source")
    if not np.allclose(spacing, place.spacing_mm, rtol=1e-9):
        raise ResultError("the pixel spacing is not that of the source")
    if not np.isclose(voxel_volume_ml(dataset), segmentation.geometry.voxel_volume_ml, rtol=RELATIVE_TOLERANCE):
        raise ResultError("the voxel volume is not that of the grid")


_COMMON_CHECKS: tuple[tuple[str, _Check], ...] = (
    ("required attributes", _required_attributes),
    ("patient and study", _patient_and_study),
    ("UIDs", _uids),
    ("references", _references),
    ("synthetic data", _synthetic),
)
_CHECKS: Mapping[str, tuple[tuple[str, _Check], ...]] = {
    SEGMENTATION: (("geometry and voxels", _masks), ("highdicom reads it", _segmentation_reads)),
    LABEL_MAP_SEGMENTATION: (("grid", _grid), ("highdicom reads the same voxels", check_label_map)),
    COMPREHENSIVE_3D_SR: (
        ("content", check_content),
        ("predecessors", check_predecessors),
        ("segments", check_segments),
        ("highdicom reads it", check_report_reads),
    ),
    SECONDARY_CAPTURE: (("picture", check_capture),),
    ENCAPSULATED_PDF: (("document", check_document),),
    SPATIAL_REGISTRATION: (("registration", check_registration),),
    DEFORMABLE_REGISTRATION: (("registration", check_registration),),
}
"""By SOP Class. highdicom comes last: it takes the data set over."""
