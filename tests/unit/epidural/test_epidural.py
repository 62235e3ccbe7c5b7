"""Bilsky's grades from masks drawn on a square grid of axial slices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.epidural import EpiduralFlag, Grade, SpinalMasks, epidural_grade, grade_of

Mask = npt.NDArray[np.bool_]
SHAPE = (9, 40, 40)
MIDDLE = 4
AFFINE = np.array([[0, 0, 0.7, 0], [0, 0.7, 0, 0], [4.0, 0, 0, 0], [0, 0, 0, 1.0]])
GEOMETRY = VolumeGeometry.from_matrix(AFFINE, shape=SHAPE, frame_of_reference_uid="1.2.3")


def disc(radius: float) -> Mask:
    """A disc at the middle of every slice."""
    rows, columns = np.indices(SHAPE[1:])
    inside = np.hypot(rows - 19.5, columns - 19.5) <= radius
    return np.broadcast_to(inside, SHAPE).copy()


def patient() -> SpinalMasks:
    """Canal, sac and cord without a tumour."""
    return SpinalMasks(
        tumour=np.zeros(SHAPE, dtype=np.bool_), canal=disc(15), sac=disc(11), cord=disc(6), geometry=GEOMETRY
    )


def grown(*, first_row: int, cord_from: int = 0, fluid: bool = True) -> SpinalMasks:
    """A tumour in three slices that fills the canal from its lower edge up to `first_row`.

    It pushes the sac away; the cord is gone below `cord_from`, and without fluid the sac is as small as the cord.
    """
    masks = patient()
    rows = np.arange(SHAPE[1])[None, :, None]
    here = np.zeros(SHAPE, dtype=np.bool_)
    here[MIDDLE - 1 : MIDDLE + 2] = True
    tumour = here & masks.canal & (rows >= first_row)
    cord = masks.cord & ~tumour & ~(here & (rows >= SHAPE[1] - cord_from))
    sac = masks.sac & ~tumour
    if not fluid:
        sac = np.where(here, cord, sac)
    return replace(masks, tumour=tumour, sac=sac, cord=cord)


CASES = {
    "1a": grown(first_row=31),
    "1b": grown(first_row=28),
    "1c": grown(first_row=26),
    "2": grown(first_row=23),
    "3": grown(first_row=23, fluid=False),
}


def test_bone_only() -> None:
    """A tumour beside the canal is grade 0 without a notice, and so is none."""
    masks = patient()
    bone = np.zeros(SHAPE, dtype=np.bool_)
    bone[MIDDLE, 36:, :] = True
    for tumour in (masks.tumour, bone & ~masks.canal):
        found = epidural_grade(replace(masks, tumour=tumour))
        assert found.grade is Grade.BONE_ONLY
        assert (found.worst, found.notice, found.flags) == (None, None, ())


@pytest.mark.parametrize("label", CASES)
def test_every_grade(label: str) -> None:
    """Masks drawn for a grade get that grade; only 2 and 3 carry a notice, worded as a review."""
    found = epidural_grade(CASES[label])
    assert found.grade is not None
    assert found.grade.label == label
    assert found.flags == ()
    assert (found.notice is not None) is (label in ("2", "3"))
    assert found.notice is None or found.notice.startswith("Review: possible high-grade")
    assert "BILSKY_MASKS" in found.rule
    assert found.not_from_images == ("pain", "neurological signs")


@pytest.mark.parametrize(
    ("indented", "touched", "compressed", "csf", "expected"),
    [
        (False, False, False, True, "1a"),
        (True, False, False, True, "1b"),
        (True, True, False, True, "1c"),
        (True, True, True, True, "2"),
        (True, True, True, False, "3"),
    ],
)
def test_the_rule_is_a_row_of_questions(
    indented: bool, touched: bool, compressed: bool, csf: bool, expected: str
) -> None:
    """Indentation, contact, compression, fluid, in this order."""
    assert grade_of(indented=indented, touched=touched, compressed=compressed, csf_visible=csf).label == expected


@pytest.mark.parametrize(("lost", "label"), [(0, "1a"), (4, "1a"), (5, "1b"), (6, "1b")])
def test_the_sac_counts_as_indented_from_five_per_cent(lost: int, label: str) -> None:
    """Areas of 100 px: 4 px lost is not an indentation, 5 px lost is."""
    found = epidural_grade(_blocks(sac_lost=lost))
    assert found.grade is not None
    assert found.grade.label == label


@pytest.mark.parametrize(("lost", "label"), [(0, "1c"), (9, "1c"), (10, "2"), (50, "2")])
def test_the_cord_counts_as_compressed_from_a_tenth(lost: int, label: str) -> None:
    """Of 100 px of cord 9 lost is abutment, 10 lost is compression."""
    masks = _blocks(sac_lost=20)
    cord = np.zeros(SHAPE, dtype=np.bool_)
    cord[:, 20:30, 10:20] = True
    cord[MIDDLE].flat[np.flatnonzero(cord[MIDDLE])[:lost]] = False
    found = epidural_grade(replace(masks, cord=cord, csf=masks.canal))
    assert found.grade is not None
    assert found.grade.label == label


def _blocks(*, sac_lost: int) -> SpinalMasks:
    """A sac of 100 px, a tumour at row 30 below, a cord of 4 px far from it."""
    sac, cord, tumour = (np.zeros(SHAPE, dtype=np.bool_) for _ in range(3))
    sac[:, 10:20, 10:20] = True
    sac[MIDDLE].flat[np.flatnonzero(sac[MIDDLE])[:sac_lost]] = False
    cord[:, 14:16, 14:16] = True
    tumour[MIDDLE, 30, 10:20] = True
    return SpinalMasks(tumour=tumour, canal=np.ones(SHAPE, dtype=np.bool_), sac=sac, cord=cord, geometry=GEOMETRY)


@pytest.mark.parametrize(("row", "touches"), [(16, True), (17, False)])
@pytest.mark.parametrize("column", [13, 15, 16])
def test_contact_reaches_over_one_voxel(row: int, touches: bool, column: int) -> None:
    """The next voxel touches the cord, by a corner too; the one after it does not."""
    masks = _blocks(sac_lost=20)
    tumour = np.zeros(SHAPE, dtype=np.bool_)
    tumour[MIDDLE, row, column] = True
    found = epidural_grade(replace(masks, tumour=tumour))
    assert found.worst is not None
    assert found.worst.touches_cord is touches
    assert found.grade is (Grade.CORD_ABUTTED if touches else Grade.SAC_DEFORMED)


def test_a_tapering_sac_loses_nothing() -> None:
    """The reference is interpolated: a sac that narrows evenly along the spine is not indented."""
    sac = np.zeros(SHAPE, dtype=np.bool_)
    for index in range(SHAPE[0]):
        sac[index, : 36 - 3 * index, :10] = True
    found = epidural_grade(replace(_blocks(sac_lost=0), sac=sac))
    assert found.worst is not None
    assert found.worst.sac_loss == pytest.approx(0.0, abs=1e-12)


def test_the_worst_slice_counts() -> None:
    """A high grade in one slice is not averaged away by its neighbours, and the slice is named."""
    masks, worse = CASES["1a"], CASES["2"]
    mixed = replace(
        masks,
        tumour=_with_slice(masks.tumour, worse.tumour, index=MIDDLE + 1),
        sac=_with_slice(masks.sac, worse.sac, index=MIDDLE + 1),
        cord=_with_slice(masks.cord, worse.cord, index=MIDDLE + 1),
    )
    found = epidural_grade(mixed)
    assert found.grade is Grade.CORD_COMPRESSED
    assert found.worst is not None
    assert found.worst.index == MIDDLE + 1
    assert found.distance_mm == pytest.approx(4.0 * (MIDDLE + 1))


def _with_slice(mask: Mask, other: Mask, *, index: int) -> Mask:
    result = mask.copy()
    result[index] = other[index]
    return result


def test_without_cord_the_grade_stays_open() -> None:
    """Below the conus a deformed sac is 1b at least; the upper end is not known and the notice says so."""
    found = epidural_grade(replace(CASES["1b"], cord=np.zeros(SHAPE, dtype=np.bool_)))
    assert found.grade is None
    assert (found.low, found.high) == (Grade.SAC_DEFORMED, Grade.CORD_COMPRESSED)
    assert EpiduralFlag.NO_CORD in found.flags
    assert "not excluded" in (found.notice or "")


def test_without_a_free_slice_the_loss_is_not_known() -> None:
    """A tumour over the whole field leaves no reference: an interval, flagged, instead of grade 1a."""
    everywhere = replace(
        patient(), tumour=np.broadcast_to(CASES["1c"].tumour[MIDDLE], SHAPE).copy(), sac=CASES["1c"].sac
    )
    found = epidural_grade(everywhere)
    assert found.grade is None
    assert found.low is Grade.EPIDURAL
    assert found.high is Grade.CORD_COMPRESSED
    assert EpiduralFlag.NO_REFERENCE in found.flags


@pytest.mark.parametrize("kept", [slice(MIDDLE - 1, None), slice(None, MIDDLE + 2)])
def test_a_reference_on_one_side_is_told(kept: slice) -> None:
    """At either end of the field the grade stands on the slices of one side."""
    masks = CASES["1b"]
    cropped = {name: getattr(masks, name)[kept] for name in ("tumour", "canal", "sac", "cord")}
    geometry = replace(GEOMETRY, shape=cropped["tumour"].shape)
    found = epidural_grade(SpinalMasks(geometry=geometry, **cropped))
    assert found.grade is Grade.SAC_DEFORMED
    assert found.flags == (EpiduralFlag.ONE_SIDED_REFERENCE,)


def test_tumour_where_no_canal_is_drawn_is_not_grade_0() -> None:
    """What cannot be told is the whole range, with a notice."""
    masks = CASES["1a"]
    found = epidural_grade(replace(masks, canal=np.zeros(SHAPE, dtype=np.bool_)))
    assert (found.low, found.high) == (Grade.BONE_ONLY, Grade.CORD_COMPRESSED_NO_CSF)
    assert found.flags == (EpiduralFlag.NO_CANAL,)
    assert found.notice is not None


def test_an_open_slice_does_not_lower_a_known_one() -> None:
    """Grade 1b in one slice and no canal in another: 1b at least, 3 at most."""
    masks = CASES["1b"]
    tumour, canal = masks.tumour.copy(), masks.canal.copy()
    tumour[7], canal[7] = tumour[MIDDLE], False
    found = epidural_grade(replace(masks, tumour=tumour, canal=canal))
    assert (found.low, found.high) == (Grade.SAC_DEFORMED, Grade.CORD_COMPRESSED_NO_CSF)
    assert EpiduralFlag.NO_CANAL in found.flags


def test_masks_that_contradict_each_other_are_told() -> None:
    """A cord that is compressed inside a sac that is not indented keeps the rule's grade and asks for a review."""
    masks = _blocks(sac_lost=0)
    cord = masks.cord.copy()
    cord[MIDDLE, 14] = False
    found = epidural_grade(replace(masks, cord=cord))
    assert found.grade is Grade.EPIDURAL
    assert EpiduralFlag.CONTRADICTORY in found.flags
    assert "contradict" in (found.notice or "")


@settings(max_examples=30, deadline=None)
@given(label=st.sampled_from(sorted(CASES)), axes=st.sampled_from([(0,), (1,), (2,), (1, 2), (0, 1, 2)]))
def test_flips_leave_the_grade(label: str, axes: tuple[int, ...]) -> None:
    """Neither the side nor the order of slices changes a grade."""
    masks = CASES[label]
    flipped = {name: np.flip(getattr(masks, name), axes) for name in ("tumour", "canal", "sac", "cord")}
    assert epidural_grade(SpinalMasks(geometry=GEOMETRY, **flipped)).grade is epidural_grade(masks).grade


@settings(max_examples=10, deadline=None)
@given(rows=st.lists(st.integers(22, 33), min_size=2, max_size=6, unique=True))
def test_more_tumour_is_never_a_lower_grade(rows: list[int]) -> None:
    """A tumour that grows towards the cord keeps or raises its grade."""
    highs = [epidural_grade(grown(first_row=row)).high for row in sorted(rows, reverse=True)]
    assert highs == sorted(highs)


def test_masks_that_do_not_fit_are_refused() -> None:
    """Sagittal slices, another shape or another type cannot be graded."""
    masks = patient()
    sagittal = VolumeGeometry.from_matrix(AFFINE[[2, 1, 0, 3]], shape=SHAPE, frame_of_reference_uid="1.2.3")
    with pytest.raises(ValueError, match="axial"):
        replace(masks, geometry=sagittal)
    with pytest.raises(ValueError, match="grid"):
        replace(masks, sac=masks.sac[1:])
    with pytest.raises(ValueError, match="bool"):
        replace(masks, csf=masks.sac.astype(np.uint8))
