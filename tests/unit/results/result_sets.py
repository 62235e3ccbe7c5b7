"""Result sets about the synthetic sources: with findings, without, refused."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import numpy as np

from bmnode.domain.bones import Bone
from bmnode.domain.codes import (
    BonePattern,
    Code,
    Concept,
    Derivation,
    Finding,
    Laterality,
    LesionType,
    Site,
    Unit,
    UptakeKind,
)
from bmnode.domain.geometry import BoolArray, CroppedMask, ImagePolygon, VolumeGeometry
from bmnode.domain.ids import derive_uid
from bmnode.domain.results import (
    Algorithm,
    Evaluation,
    FindingResult,
    Measurement,
    Outcome,
    PlanarSegmentation,
    QualityCheck,
    ResultSet,
    Segment,
    Segmentation,
    SegmentReference,
    Verdict,
)
from bmnode.domain.study import Branch, Reason, Refusal
from bmnode.results.context import WriteContext
from tests.unit.results.sources import SourceSeries

CONTEXT = WriteContext(
    job_digest="0123456789abcdef",
    created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    software_version="0.1.0",
    pipeline_name="bone_metastasis",
    pipeline_version="1.0",
)
ALGORITHM = Algorithm(
    name="threshold-candidates",
    version="1.0",
    family=Code("123105", "DCM", "Histogram Analysis"),
    parameters=("threshold_hu=300", "minimum_volume_ml=0.05"),
)
QUALITY = (
    QualityCheck(name="Slice thickness", verdict=Verdict.PASS, explanation="2.5 mm, limit ≤ 5 mm"),
    QualityCheck(name="Coverage", verdict=Verdict.NOT_EVALUABLE, explanation="No field of view stated"),
)
LIMITATIONS = ("Lesions below 0.05 ml are not listed.", "Skull was not in the field of view.")
NOTICES = ("Review: a lesion of the spine may make it unstable.",)


def ball(geometry: VolumeGeometry, centre: tuple[int, int, int], radius: float) -> BoolArray:
    """Voxels within a radius (in voxels) of a centre."""
    index = np.indices(geometry.shape)
    squared = sum((axis - middle) ** 2 for axis, middle in zip(index, centre, strict=True))
    return np.asarray(squared <= radius**2)


def volumetric(series: SourceSeries, *, branch: Branch = Branch.CT, synthetic: bool = False) -> ResultSet:
    """Two lesions that overlap each other, and the bone around them, as one segmentation; the second came from
    another."""
    assert series.geometry is not None
    assert series.pixels is not None
    geometry = series.geometry
    masks = [ball(geometry, (3, 5, 6), 2.2), ball(geometry, (4, 6, 7), 1.6)]
    bone = ball(geometry, (4, 5, 6), 4.0)
    segments = tuple(
        Segment(
            label=f"Lesion {number}",
            category=Finding.ABNORMAL_STRUCTURE,
            type=Finding.SECONDARY_NEOPLASM,
            mask=CroppedMask.from_array(mask),
            site=Site.PELVIS,
            laterality=Laterality.LEFT,
            tracking_id=f"L{number}",
            tracking_uid=derive_uid("test", "lesion", str(number)),
        )
        for number, mask in enumerate(masks, 1)
    )
    anatomy = Segment(
        label="Bone", category=Finding.ANATOMICAL_STRUCTURE, type=Finding.BONE, mask=CroppedMask.from_array(bone)
    )
    segmentation = Segmentation(
        source_series_uid=series.series_uid,
        source_instance_uids=series.instance_uids,
        geometry=geometry,
        segments=(*segments, anatomy),
    )
    values = series.pixels.astype(np.float64) - 1024.0
    findings = tuple(
        FindingResult(
            tracking_id=f"L{number}",
            tracking_uid=derive_uid("test", "lesion", str(number)),
            finding_type=Finding.LESION,
            site=Site.PELVIS,
            laterality=Laterality.LEFT,
            segment=SegmentReference(segmentation_index=0, segment_number=number),
            measurements=(
                Measurement(
                    concept=Concept.VOLUME,
                    value=int(mask.sum()) * geometry.voxel_volume_ml,
                    unit=Unit.ML,
                    method="VOXEL_SUM_V1",
                ),
                Measurement(
                    concept=Concept.ATTENUATION,
                    value=float(values[mask].mean()),
                    unit=Unit.HU,
                    method="HU_WITHIN_SEGMENT_V1",
                    derivation=Derivation.MEAN,
                ),
                Measurement(
                    concept=Concept.ATTENUATION,
                    value=float(values[mask].max()),
                    unit=Unit.HU,
                    method="HU_WITHIN_SEGMENT_V1",
                    derivation=Derivation.MAXIMUM,
                ),
            ),
            evaluations=(Evaluation(concept=Concept.LESION_TYPE, value=LesionType.SCLEROTIC),),
            came_from=(derive_uid("test", "lesion", "before"),) if number == 2 else (),
        )
        for number, mask in enumerate(masks, 1)
    )
    return ResultSet(
        study_uid=series.study_uid,
        outcome=Outcome.ASSESSED,
        branch=branch,
        input_series_uids=(series.series_uid,),
        findings=findings,
        measurements=(_count(2),),
        evaluations=(Evaluation(concept=Concept.BONE_PATTERN, value=BonePattern.OLIGOMETASTATIC),),
        segmentations=(segmentation,),
        quality=QUALITY,
        algorithms=(ALGORITHM,),
        limitations=LIMITATIONS,
        notices=NOTICES,
        synthetic=synthetic,
    )


def _count(number: int) -> Measurement:
    return Measurement(
        concept=Concept.LESION_COUNT, value=float(number), unit=Unit.NO_UNITS, method="CONNECTED_COMPONENTS_V1"
    )


def negative(series: SourceSeries, *, branch: Branch = Branch.CT) -> ResultSet:
    """Assessed, nothing found."""
    return ResultSet(
        study_uid=series.study_uid,
        outcome=Outcome.ASSESSED,
        branch=branch,
        input_series_uids=(series.series_uid,),
        measurements=(_count(0),),
        quality=QUALITY,
        algorithms=(ALGORITHM,),
        limitations=LIMITATIONS,
    )


def negative_volumetric(series: SourceSeries, *, branch: Branch) -> ResultSet:
    """Assessed, nothing found: the bone alone is segmented."""
    few = volumetric(series, branch=branch)
    bone = dataclasses.replace(few.segmentations[0], segments=few.segmentations[0].segments[-1:])
    return dataclasses.replace(
        few, findings=(), measurements=(_count(0),), evaluations=(), segmentations=(bone,), notices=()
    )


def superscan(series: SourceSeries, *, branch: Branch) -> ResultSet:
    """One lesion that is all the bone there is."""
    few = volumetric(series, branch=branch)
    first, _, bone = few.segmentations[0].segments
    whole = dataclasses.replace(first, mask=bone.mask)
    volume = dataclasses.replace(
        few.findings[0].measurements[0], value=bone.mask.voxel_count * few.segmentations[0].geometry.voxel_volume_ml
    )
    return dataclasses.replace(
        few,
        findings=(dataclasses.replace(few.findings[0], measurements=(volume,)),),
        measurements=(_count(1),),
        segmentations=(dataclasses.replace(few.segmentations[0], segments=(whole, bone)),),
        notices=("A possible superscan: lesions cannot be told apart.",),
    )


def refused(
    series: SourceSeries, *, reason: Reason = Reason.MISSING_PIXEL_DATA, branch: Branch | None = None
) -> ResultSet:
    """Not assessable."""
    return ResultSet(
        study_uid=series.study_uid,
        outcome=Outcome.NOT_ASSESSABLE,
        branch=branch,
        input_series_uids=(series.series_uid,),
        refusal=Refusal(reason=reason, explanation="The images of the study have no pixel data."),
    )


def planar(series: SourceSeries, *, frames: tuple[int | None, ...] = (1, 2), scale: float = 1.0) -> ResultSet:
    """One hot spot outlined on every frame named, and a second on the first."""
    square = tuple((column * scale, row * scale) for column, row in ((13, 20), (16, 20), (16, 24), (13, 24), (13, 20)))
    spot = tuple((column * scale, row * scale) for column, row in ((17, 40), (18.5, 40), (18.5, 42.25), (17, 40)))
    findings = tuple(
        FindingResult(
            tracking_id=f"H{number}",
            tracking_uid=derive_uid("test", "hot spot", str(number)),
            finding_type=Finding.LESION,
            site=site,
            polygons=tuple(
                ImagePolygon(sop_instance_uid=series.instance_uids[0], frame_number=frame, points=outline)
                for frame in used
            ),
            measurements=(
                Measurement(
                    concept=Concept.UPTAKE_RATIO,
                    value=ratio,
                    unit=Unit.RATIO,
                    method="HOTSPOT_RATIO_V1",
                    derivation=Derivation.MAXIMUM,
                ),
                Measurement(concept=Concept.AREA, value=area, unit=Unit.CM2, method="PIXEL_AREA_V1"),
            ),
        )
        for number, site, outline, used, ratio, area in (
            (1, Site.THORAX, square, frames, 7.123456789012345, 1.92),
            (2, Site.PELVIS, spot, frames[:1], 1.0 / 3.0, 0.54),
        )
    )
    return ResultSet(
        study_uid=series.study_uid,
        outcome=Outcome.ASSESSED,
        branch=Branch.BONE_SCAN,
        input_series_uids=(series.series_uid,),
        findings=findings,
        measurements=(_count(2),),
        quality=QUALITY,
        algorithms=(ALGORITHM,),
        limitations=LIMITATIONS,
        synthetic=True,
    )


Ring = tuple[tuple[float, float], ...]
CORNER: Ring = ((13, 20), (16, 20), (16, 22), (14, 22), (14, 24), (13, 24), (13, 20))
"""8 pixels: rows 20 and 21 of columns 13 to 15, rows 22 and 23 of column 13."""
BLOCK: Ring = ((16, 20), (19, 20), (19, 24), (16, 24), (16, 20))
BLADDER: Ring = ((14, 40), (18, 40), (18, 42), (14, 42), (14, 40))
_PIXEL_CM2 = 0.16


def ring_mask(ring: Ring, shape: tuple[int, int]) -> BoolArray:
    """The pixels of one of the rings above, written down by hand: (row, column)."""
    mask = np.zeros(shape, dtype=np.bool_)
    if ring == CORNER:
        mask[20:22, 13:16] = mask[22:24, 13] = True
    else:
        (left, top), (right, bottom) = ring[0], ring[2]
        mask[int(top) : int(bottom), int(left) : int(right)] = True
    return mask


def planar_segmented(series: SourceSeries, *, shape: tuple[int, int] = (64, 32)) -> ResultSet:
    """A hot spot on both frames and the bladder on the first, outlined and segmented; the sources have 4 mm pixels."""
    views: dict[str, dict[int, Ring]] = {"H1": {1: CORNER, 2: BLOCK}, "H2": {1: BLADDER}}
    findings = tuple(_spot(series, name, rings) for name, rings in views.items())
    return ResultSet(
        study_uid=series.study_uid,
        outcome=Outcome.ASSESSED,
        branch=Branch.BONE_SCAN,
        input_series_uids=(series.series_uid,),
        findings=findings,
        measurements=(_count(1),),
        planar_segmentations=tuple(
            PlanarSegmentation(
                source_instance_uid=series.instance_uids[0],
                frame_number=frame,
                shape=shape,
                patient_orientation=orientation,
                segments=tuple(
                    Segment(
                        label=finding.tracking_id,
                        category=Finding.ABNORMAL_STRUCTURE if finding.tracking_id == "H1" else Finding.FUNCTION,
                        type=Finding.LESION if finding.tracking_id == "H1" else UptakeKind.BLADDER,
                        mask=CroppedMask.from_array(
                            ring_mask(views[finding.tracking_id][frame], shape)[np.newaxis],
                        ),
                        tracking_id=finding.tracking_id,
                        tracking_uid=finding.tracking_uid,
                    )
                    for finding in findings
                    if frame in views[finding.tracking_id]
                ),
            )
            for frame, orientation in ((1, ("L", "F")), (2, ("R", "F")))
        ),
        quality=QUALITY,
        algorithms=(ALGORITHM,),
        limitations=LIMITATIONS,
    )


def _spot(series: SourceSeries, name: str, rings: dict[int, Ring]) -> FindingResult:
    pixels = int(ring_mask(rings[1], (64, 32)).sum())
    return FindingResult(
        tracking_id=name,
        tracking_uid=derive_uid("test", "spot", name),
        finding_type=Finding.LESION if name == "H1" else Finding.ABNORMAL_STRUCTURE,
        polygons=tuple(
            ImagePolygon(sop_instance_uid=series.instance_uids[0], frame_number=frame, points=ring)
            for frame, ring in rings.items()
        ),
        measurements=(
            Measurement(concept=Concept.AREA, value=pixels * _PIXEL_CM2, unit=Unit.CM2, method="PIXEL_AREA_V1"),
        ),
        evaluations=(
            Evaluation(concept=Concept.UPTAKE_KIND, value=UptakeKind.CANDIDATE if name == "H1" else UptakeKind.BLADDER),
        ),
    )


def every_bone(series: SourceSeries) -> ResultSet:
    """A finding in every bone that can be named, on both sides where it has two, and in every part and region."""
    base = volumetric(series)
    segment, finding = base.segmentations[0].segments[0], base.findings[0]
    sites = [(bone.code, side) for bone in Bone for side in (_BOTH if bone.is_paired else (None,))]
    sites += [(code, None) for code in sorted({bone.part for bone in Bone} | {bone.region for bone in Bone}, key=str)]
    segments, findings = [], []
    for number, (site, side) in enumerate(sites, 1):
        name, uid = f"L{number}", derive_uid("test", "bone", str(number))
        segments.append(
            dataclasses.replace(segment, label=name, site=site, laterality=side, tracking_id=name, tracking_uid=uid)
        )
        reference = SegmentReference(segmentation_index=0, segment_number=number)
        findings.append(
            dataclasses.replace(
                finding, site=site, laterality=side, segment=reference, tracking_id=name, tracking_uid=uid
            )
        )
    segmentation = dataclasses.replace(base.segmentations[0], segments=tuple(segments))
    return dataclasses.replace(base, findings=tuple(findings), segmentations=(segmentation,))


_BOTH = (Laterality.LEFT, Laterality.RIGHT)
