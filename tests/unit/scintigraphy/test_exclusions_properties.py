"""What labels of hot spots must not depend on: their order, left and right, the pixel's size, place, and counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.planar_regions.exclusions import LabelledView, label_by_regions, nearest_part
from operators.kernels.planar_regions.parts import PART_NUMBERS, PartMap, PlanarPart
from operators.kernels.scintigraphy import HotSpot
from operators.kernels.scintigraphy_body import Uptake
from pipelines.bone_scan.profile import load

RULE = load().region_exclusions
PIXEL = (5.0, 5.0)
SHAPE = (150, 100)
MIRRORED = {
    PART_NUMBERS[PlanarPart.PELVIS_LEFT]: PART_NUMBERS[PlanarPart.PELVIS_RIGHT],
    PART_NUMBERS[PlanarPart.FOREARM_LEFT]: PART_NUMBERS[PlanarPart.FOREARM_RIGHT],
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scene:
    """Parts, both views' uptake and square hot spots as (row, column, side), on pixels of 5 mm."""

    parts: PartMap
    uptake: npt.NDArray[np.float64]
    other: npt.NDArray[np.float64] | None
    spots: tuple[tuple[int, int, int], ...]
    is_posterior: bool


def trunk() -> PartMap:
    """Lumbar spine, sacrum, a hip on either side, forearms far out; 50 columns on each side of the middle."""
    parts = np.zeros(SHAPE, dtype=np.uint8)
    for part, rows, columns in (
        (PlanarPart.LUMBAR_SPINE, (40, 70), (47, 53)),
        (PlanarPart.SACRUM, (70, 86), (44, 56)),
        (PlanarPart.PELVIS_RIGHT, (66, 104), (26, 42)),
        (PlanarPart.PELVIS_LEFT, (66, 104), (58, 74)),
        (PlanarPart.FOREARM_RIGHT, (50, 100), (6, 10)),
        (PlanarPart.FOREARM_LEFT, (50, 100), (90, 94)),
    ):
        parts[slice(*rows), slice(*columns)] = PART_NUMBERS[part]
    return parts


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Spots anywhere, many of them where bladder and kidneys are; uptake in steps, so that doubling it is exact."""
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    anywhere = st.tuples(st.integers(0, 140), st.integers(0, 90), st.integers(2, 6))
    beside = st.tuples(st.integers(38, 60), st.sampled_from([34, 36, 38, 40, 58, 60, 62, 64]), st.integers(2, 6))
    bladder = st.tuples(st.integers(78, 96), st.integers(44, 54), st.integers(2, 6))
    spots = draw(st.lists(anywhere | beside | bladder, max_size=7, unique_by=lambda spot: spot[:2]))
    coarse = random.integers(4, 17, size=(15, 10)) / 4.0
    other = random.integers(4, 17, size=(15, 10)) / 4.0
    one_view = draw(st.booleans())
    return Scene(
        parts=trunk(),
        uptake=np.kron(coarse, np.ones((10, 10))).astype(np.float64),
        other=None if one_view else np.kron(other, np.ones((10, 10))).astype(np.float64),
        spots=tuple(spots),
        is_posterior=draw(st.booleans()),
    )


def labels(scene: Scene, *, times: int = 1) -> tuple[Uptake, ...]:
    """Labels, with every pixel split into `times` by `times`."""

    def fine(image: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return np.repeat(np.repeat(image, times, axis=0), times, axis=1)

    pixel = (PIXEL[0] / times, PIXEL[1] / times)
    body = np.zeros(scene.parts.shape, dtype=np.bool_)
    body[2:-2, 2:-2] = True
    parts = fine(scene.parts).astype(np.uint8)
    distance_mm, nearest = nearest_part(parts, pixel_mm=pixel)
    return label_by_regions(
        LabelledView(
            spots=tuple(
                HotSpot(origin=(row * times, column * times), mask=np.ones((size * times,) * 2, dtype=np.bool_))
                for row, column, size in scene.spots
            ),
            body=fine(body).astype(np.bool_),
            parts=parts,
            distance_mm=distance_mm,
            nearest=nearest,
            uptake=fine(scene.uptake).astype(np.float64),
            other_uptake=None if scene.other is None else fine(scene.other).astype(np.float64),
            pixel_mm=pixel,
            is_posterior=scene.is_posterior,
        ),
        rule=RULE,
    )


def mirrored(scene: Scene) -> Scene:
    """Left for right: the image, and the names of the parts."""
    parts = scene.parts[:, ::-1].copy()
    swapped = parts.copy()
    for left, right in MIRRORED.items():
        swapped[parts == left], swapped[parts == right] = right, left
    return replace(
        scene,
        parts=swapped,
        uptake=scene.uptake[:, ::-1].copy(),
        other=None if scene.other is None else scene.other[:, ::-1].copy(),
        spots=tuple((row, SHAPE[1] - column - size, size) for row, column, size in scene.spots),
    )


@settings(max_examples=60, deadline=None)
@given(scene=scenes(), data=st.data())
def test_labels_do_not_depend_on_the_order_of_spots(scene: Scene, data: st.DataObject) -> None:
    """Each spot keeps its label, however they are numbered: also where two might be the bladder or a kidney."""
    order = data.draw(st.permutations(range(len(scene.spots))))
    shuffled = labels(replace(scene, spots=tuple(scene.spots[index] for index in order)))
    assert shuffled == tuple(labels(scene)[index] for index in order)


@pytest.mark.parametrize(
    "spots",
    [
        ((45, 36, 3), (45, 60, 3), (45, 64, 3)),
        ((86, 46, 3), (86, 50, 3)),
        ((80, 48, 3), (92, 48, 3)),
    ],
    ids=["two left kidneys", "two bladders in a row", "two bladders, one below the other"],
)
@pytest.mark.parametrize("turned", [False, True], ids=["as it is", "mirrored"])
def test_of_two_that_fit_equally_well_place_decides(spots: tuple[tuple[int, int, int], ...], turned: bool) -> None:
    """Of spots of one size and height the one that is called an organ is the same in every order and mirrored."""
    other = np.full(SHAPE, 1.0 if spots[0][0] < 70 else 4.0)
    scene = Scene(parts=trunk(), uptake=np.full(SHAPE, 4.0), other=other, spots=spots, is_posterior=True)
    expected = sorted(zip(spots, labels(scene), strict=True))
    for order in permutations(spots):
        asked = replace(scene, spots=order)
        found = labels(mirrored(asked) if turned else asked)
        assert sorted(zip(order, found, strict=True)) == expected


@settings(max_examples=60, deadline=None)
@given(scene=scenes())
def test_a_mirrored_scan_has_the_same_labels(scene: Scene) -> None:
    """Left and right are treated alike; so many bear each label, also where two are mirror images."""
    assert sorted(labels(mirrored(scene))) == sorted(labels(scene))


@settings(max_examples=30, deadline=None)
@given(scene=scenes(), times=st.integers(2, 3))
def test_finer_pixels_change_no_label(scene: Scene, times: int) -> None:
    """Sizes are millimetres and shares: the same image on pixels of half or a third the size is read the same.

    But for the rim: on finer pixels a bone's edge lies up to half a pixel nearer, so only spots of no doubt are asked.
    """
    plain = labels(scene)
    fine = labels(scene, times=times)
    rim = {Uptake.CANDIDATE, Uptake.OUTSIDE_SKELETON}
    assert all(one == other or {one, other} == rim for one, other in zip(plain, fine, strict=True))


@settings(max_examples=30, deadline=None)
@given(scene=scenes(), gain=st.sampled_from([2.0, 4.0]))
def test_kidneys_depend_on_the_ratio_of_the_views_alone(scene: Scene, gain: float) -> None:
    """Both views louder by the same gain: the same spots are kidneys.

    The bladder alone asks the other view for an amount, in multiples of the normal skeleton's; above it all is alike.
    """
    high = replace(
        scene, uptake=scene.uptake + 2.0, other=None if scene.other is None else scene.other + RULE.bladder_other_view
    )
    louder = replace(high, uptake=high.uptake * gain, other=None if high.other is None else high.other * gain)
    assert labels(louder) == labels(high)


@settings(max_examples=30, deadline=None)
@given(scene=scenes(), rows=st.integers(0, 8), columns=st.integers(0, 8))
def test_the_place_in_the_image_does_not_matter(scene: Scene, rows: int, columns: int) -> None:
    """With empty rows and columns added around the patient every spot keeps its label."""

    def moved(image: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return np.pad(image, ((rows, 0), (columns, 0)))

    inside = tuple((row, column, size) for row, column, size in scene.spots if min(row, column) >= 2)
    kept = replace(scene, spots=inside)
    elsewhere = replace(
        kept,
        parts=moved(scene.parts).astype(np.uint8),
        uptake=moved(scene.uptake).astype(np.float64),
        other=None if scene.other is None else moved(scene.other).astype(np.float64),
        spots=tuple((row + rows, column + columns, size) for row, column, size in inside),
    )
    assert labels(elsewhere) == labels(kept)


@settings(max_examples=60, deadline=None)
@given(scene=scenes())
def test_there_is_one_bladder_and_one_pair_of_kidneys(scene: Scene) -> None:
    """Whatever is hot: no third kidney and no second bladder hide a lesion; an anterior view has no kidney."""
    found = labels(scene)
    assert found.count(Uptake.BLADDER) <= 1
    assert found.count(Uptake.KIDNEY) in ({0, 2} if scene.is_posterior else {0})
