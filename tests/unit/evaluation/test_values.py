"""True values by definition, what the kernels give on true masks, and candidates as masks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from bmnode.domain.codes import Code, Concept, Derivation, Finding, Unit
from bmnode.domain.geometry import CroppedMask, ImagePolygon, VolumeGeometry
from bmnode.domain.results import (
    FindingResult,
    Measurement,
    Outcome,
    ResultSet,
    Segment,
    Segmentation,
    SegmentReference,
)
from bmnode.domain.study import Branch
from operators.kernels.bone_scan_index.regions import BoneRegion
from operators.kernels.bone_scan_index.tables import spiers_1968
from operators.readers.volume import ImageVolume
from operators.simulation.anatomy.bones import Bone
from operators.simulation.cohort.protocol_keys import Modality
from operators.simulation.patient import LesionType
from operators.simulation.truth.label_maps import LabelMap, PlanarLabels, write_label_map
from operators.simulation.truth.model import (
    BonePose,
    FocusTruth,
    LabelKind,
    LesionTruth,
    OrganValue,
    SeriesTruth,
    StudyTruth,
)
from operators.simulation.truth.read import TruthFolder
from pipelines.evaluation import found
from pipelines.evaluation.blurred import FWHM_PER_SIGMA, blurred_truth, mean_seen
from pipelines.evaluation.given import Loaded, given_index, given_values
from pipelines.evaluation.quantities import Quantity, reported
from pipelines.evaluation.truths import projected_index, resolution_mm, true_index, true_values

FOCUS = FocusTruth(
    suv={"fdg": 4.0, "psma-11": 9.0},
    lytic_suv={"fdg": 8.0},
    lytic_hu=40.0,
    sclerotic_hu=640.0,
    adc_um2_s=900.0,
    t1_ms=1000.0,
    t2_ms=80.0,
    fat_fraction=0.0,
    metal=False,
)
LESION = LesionTruth(
    name="one",
    label=1,
    bone=Bone.L3,
    lesion_type=LesionType.MIXED,
    centre_lps=(0.0, 0.0, 0.0),
    volume_ml=10.0,
    diameters_mm=(30.0, 28.0, 26.0),
    sclerotic_share=0.3,
    flesh_share=0.2,
    focus=FOCUS,
    mean_sclerosis=0.25,
    sclerosis_range=(0.0, 0.9),
)
GRID = VolumeGeometry.from_matrix(np.diag([3.0, 2.0, 2.0, 1.0]), shape=(6, 8, 8), frame_of_reference_uid="1.2")


def study(modality: Modality, *lesions: LesionTruth, **protocol: object) -> StudyTruth:
    """The truth of a study without images."""
    return StudyTruth(
        synthetic=True,
        format=1,
        versions={},
        seed=1,
        study_uid="1.2.3",
        patient_id="SIM",
        modality=modality.value,
        primary=None,
        person={},
        posture={},
        physiology={},
        protocol=protocol,
        habits={},
        patient_digest="",
        lesions=lesions,
        gone={},
        decoys=(),
        bones=(
            BonePose(bone=Bone.L3, parts=(), volume_ml=80.0),
            BonePose(bone=Bone.L4, parts=(), volume_ml=80.0),
            BonePose(bone=Bone.PATELLA_LEFT, parts=(), volume_ml=20.0),
        ),
        values={"suv:fdg": (OrganValue(name="muscle", value=0.8),)},
        label_values={LabelKind.ORGANS: {0: "AIR"}},
        series=(),
    )


def test_suv_lies_between_lytic_and_sclerotic() -> None:
    """SUVmean at the mean sclerosis, SUVmax at that end of its range where uptake is higher, TLG their volume's."""
    found_values = true_values(LESION, study(Modality.PET, LESION, tracer="fdg"))
    assert found_values == {
        Quantity.VOLUME: 10.0,
        Quantity.SUV_MEAN: pytest.approx(8.0 - 4.0 * 0.25),
        Quantity.SUV_MAX: pytest.approx(8.0),
        Quantity.TLG: pytest.approx(70.0),
    }


def test_a_tracer_without_lytic_uptake_is_even() -> None:
    """Where uptake does not follow the sclerosis, mean and maximum are the same; an unknown tracer has none."""
    even = true_values(LESION, study(Modality.PET, LESION, tracer="psma-11"))
    assert even[Quantity.SUV_MEAN] == even[Quantity.SUV_MAX] == pytest.approx(9.0)
    assert Quantity.SUV_MEAN not in true_values(LESION, study(Modality.SPECT, LESION, tracer="mdp"))


@pytest.mark.parametrize(
    ("kvp", "contrast", "known"), [(120, "none", True), (100, "none", False), (120, "arterial", False)]
)
def test_hounsfield_units_are_true_at_120_kv_alone(kvp: int, contrast: str, known: bool) -> None:
    """Another voltage or contrast medium changes the HU that were assigned: then none is claimed."""
    values = true_values(LESION, study(Modality.CT, LESION, kvp=kvp, contrast=contrast))
    assert (values.get(Quantity.HU_MEAN) == pytest.approx(40.0 + 600.0 * 0.25)) is known


def test_resolution_holds_the_positron_range() -> None:
    """Of 68Ga the positron's range adds in squares; an MR image is as coarse as its slices' distance."""
    assert resolution_mm(study(Modality.PET, tracer="psma-11", resolution_mm=5.0)) == pytest.approx(
        (5.0**2 + 2.9**2) ** 0.5
    )
    assert resolution_mm(study(Modality.MRI, slice_mm=5.0, gap_mm=0.5)) == 5.5
    assert resolution_mm(study(Modality.CT, slice_mm=3.0, increment_mm=2.0)) == 3.0


def test_true_index_is_the_share_of_bone_volume() -> None:
    """8 of 160 ml of spine, at the coefficient of the spine; flesh beyond the bone does not count."""
    index = true_index(study(Modality.PLANAR, LESION))
    assert index == pytest.approx(spiers_1968().percent[BoneRegion.SPINE] * 8.0 / 160.0)


def test_true_index_needs_the_volumes() -> None:
    """Truth of before the bones' volumes were kept has no index, not an index of 0."""
    old = dataclasses.replace(study(Modality.PLANAR, LESION), bones=(BonePose(bone=Bone.L3, parts=()),))
    assert true_index(old) is None


def shadows() -> PlanarLabels:
    """A spine of 10 x 4 pixels with a lesion of 8 in front, of 4 in the back."""
    bones = np.zeros((2, 20, 20), dtype=np.uint8)
    bones[:, 5:15, 8:12] = Bone.L3
    lesions = np.zeros((1, 2, 20, 20), dtype=np.bool_)
    lesions[0, 0, 5:7, 8:12] = True
    lesions[0, 1, 5:6, 8:12] = True
    return PlanarLabels(lesions=lesions, bones=bones)


def test_projected_index_takes_the_higher_view() -> None:
    """8 of 40 pixels in front, 4 in the back: a fifth of the spine; the kernel says the same of the same shadows."""
    expected = spiers_1968().percent[BoneRegion.SPINE] * 0.2
    assert projected_index(shadows()) == pytest.approx(expected)
    assert given_index(shadows(), views=("ANT", "POST")) == pytest.approx(expected)


def test_voxels_without_a_value_do_not_count() -> None:
    """An ADC that is not known is left out of the mean, and a lesion without any has a volume alone."""
    array = np.zeros(GRID.shape, dtype=np.float32)
    array[2, 3, 3:5] = (800.0, 0.0)
    mask = np.zeros(GRID.shape, dtype=np.bool_)
    mask[2, 3, 3:5] = True
    volume = ImageVolume(array=array, geometry=GRID, source_instance_uids=("1",))
    loaded = Loaded(branch=Branch.MRI, series_uid="1", volume=volume, known=array > 0)
    assert given_values(loaded, mask) == {Quantity.VOLUME: pytest.approx(0.024), Quantity.ADC_MEAN: 800.0}
    nothing = np.zeros(GRID.shape, dtype=np.bool_)
    nothing[2, 3, 4] = True
    assert given_values(loaded, nothing) == {Quantity.VOLUME: pytest.approx(0.012)}


def test_the_mean_seen_of_a_ball_is_what_physics_says() -> None:
    """A ball of three FWHM in a cold surround keeps 67 % of its mean, one of two FWHM 52 %."""
    offsets = np.stack(np.meshgrid(*[np.arange(-40, 41)] * 3, indexing="ij"))
    distance = np.sqrt((offsets**2).sum(axis=0))
    for fwhm, share in ((12.0, 0.67), (18.0, 0.52)):
        ball = distance <= 18.0
        blurred = gaussian_filter(ball.astype(np.float32), fwhm / FWHM_PER_SIGMA)
        assert mean_seen(blurred, ball) == pytest.approx(share, abs=0.02)
    with pytest.raises(ValueError, match="empty"):
        mean_seen(np.zeros((2, 2, 2), dtype=np.float32), np.zeros((2, 2, 2), dtype=np.bool_))


def test_blurred_truth_is_painted_from_the_truth_and_blurred(tmp_path: Path) -> None:
    """Deep in the lesion its own mean, far from it bone (half cortex) and muscle, between them something between."""
    shape = (30, 30, 40)
    grid = VolumeGeometry.from_matrix(np.diag([4.0, 4.0, 4.0, 1.0]), shape=shape, frame_of_reference_uid="1.2")
    organs, bones, lesions = (np.zeros(shape, dtype=np.uint8) for _ in range(3))
    organs[:] = 1
    bones[:, :, 20:] = Bone.L3
    lesions[10:20, 10:20, 8:18] = LESION.label
    files = {kind: f"{kind}.nii.gz" for kind in (LabelKind.ORGANS, LabelKind.BONES, LabelKind.LESIONS)}
    for kind, labels in zip(files, (organs, bones, lesions), strict=True):
        write_label_map(tmp_path / files[kind], labels=labels, geometry=grid)
    series = SeriesTruth(
        series_uid="1.9", number=1, modality="PT", description="", frame_of_reference_uid="1.2", files=files
    )
    truth = dataclasses.replace(
        study(Modality.PET, LESION, tracer="fdg", resolution_mm=6.0),
        values={
            "suv:fdg": (
                OrganValue(name="muscle", value=0.8),
                OrganValue(name="l3 cortex", value=1.0),
                OrganValue(name="l3 spongiosa", value=2.0),
            )
        },
        label_values={LabelKind.ORGANS: {0: "AIR", 1: "MUSCLE"}, LabelKind.BONES: {0: "no bone", Bone.L3.value: "L3"}},
        series=(series,),
    )
    blurred = blurred_truth(TruthFolder(path=tmp_path, study=truth), "1.9")
    assert blurred[15, 15, 13] == pytest.approx(7.0, rel=1e-3)
    assert blurred[2, 2, 35] == pytest.approx(1.5, rel=1e-3)
    assert blurred[2, 2, 2] == pytest.approx(0.8, rel=1e-3)
    assert 0.8 < blurred[15, 15, 7] < 7.0
    assert blurred[15, 9:11, 13].mean() == pytest.approx((0.8 + 7.0) / 2.0, rel=0.02)


def measurement(concept: Code, value: float, derivation: Code | None = None) -> Measurement:
    """A number of a report."""
    return Measurement(concept=concept, value=value, unit=Unit.NO_UNITS, method="M", derivation=derivation)


def test_a_report_is_read_by_codes() -> None:
    """The mean is not taken for the maximum, words do not matter, and what is not there is None."""
    values = (
        measurement(Concept.SUV_BW, 9.0, Derivation.MAXIMUM),
        measurement(Code(Concept.SUV_BW.value, "DCM", "other words"), 6.0, Derivation.MEAN),
        measurement(Concept.VOLUME, 3.0, Derivation.TOTAL),
    )
    assert reported(values, Quantity.SUV_MAX) == 9.0
    assert reported(values, Quantity.SUV_MEAN) == 6.0
    assert reported(values, Quantity.VOLUME) is None


def test_candidates_share_voxels_with_lesions() -> None:
    """Each candidate's segment is laid over the labels of the truth; an organ's finding is no candidate."""
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[2, 2:4, 2:4] = 7
    labels[4, 5, 5] = 9
    mask = np.zeros(GRID.shape, dtype=np.bool_)
    mask[2, 3, 2:6] = True
    segment = Segment(
        label="1", category=Finding.ABNORMAL_STRUCTURE, type=Finding.LESION, mask=CroppedMask.from_array(mask)
    )
    lesion, organ = (
        FindingResult(
            tracking_id=name,
            tracking_uid=name,
            finding_type=kind,
            segment=SegmentReference(segmentation_index=0, segment_number=1),
        )
        for name, kind in (("1.1", Finding.LESION), ("1.2", Finding.ABNORMAL_STRUCTURE))
    )
    result = ResultSet(
        study_uid="1.2.3",
        outcome=Outcome.ASSESSED,
        branch=Branch.CT,
        input_series_uids=("1",),
        findings=(lesion, organ),
        segmentations=(
            Segmentation(source_series_uid="1", source_instance_uids=("1",), geometry=GRID, segments=(segment,)),
        ),
    )
    assert found.candidates(result) == (lesion,)
    overlap = found.overlap_in_volume(result, [lesion], LabelMap(values=labels, geometry=GRID), numbers=[7, 9])
    assert overlap.tolist() == [[2], [0]]


def test_outlines_hold_the_pixels_whose_centres_they_hold() -> None:
    """An outline along pixel borders gives exactly its pixels, in the view of its frame."""
    outline = ImagePolygon(
        sop_instance_uid="1",
        frame_number=2,
        points=((3.0, 5.0), (6.0, 5.0), (6.0, 7.0), (3.0, 7.0), (3.0, 5.0)),
    )
    finding = FindingResult(tracking_id="a", tracking_uid="1.1", finding_type=Finding.LESION, polygons=(outline,))
    masks = found.view_masks(finding, shape=(2, 20, 20))
    assert not masks[0].any()
    assert np.argwhere(masks[1]).tolist() == [[row, column] for row in (5, 6) for column in (3, 4, 5)]
    lesions = np.zeros((1, 20, 20), dtype=np.bool_)
    lesions[0, 6, 4:9] = True
    assert found.overlap_in_view(lesions, [masks[1]]).tolist() == [[2]]
