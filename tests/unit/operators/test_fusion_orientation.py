"""Emission against its CT: every way in which pixels may be mirrored or turned is seen, and what must not matter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import VolumeGeometry
from bmnode.domain.results import Verdict
from bmnode.domain.study import Reason
from operators.graph.contract import NotAssessableError
from operators.kernels.coarse_ct import CoarseCt
from operators.kernels.ct_orientation import Agreement
from operators.kernels.fusion_orientation import Fit, FusionLimits, Turn, judge_fusion
from pipelines.orientation import fusion_check, refuse_misfit
from pipelines.pet_ct.branch import profile

LIMITS = profile().localisation.fusion
SHAPE = (40, 70, 70)
STEP_MM = 6.0
BLOCK_MM = 4.0
SIDES = (False, True)
turns = st.builds(Turn, exchanged=st.booleans(), flips=st.tuples(st.booleans(), st.booleans(), st.booleans()))


def tissue(step_mm: float, shape: tuple[int, int, int]) -> npt.NDArray[np.int64]:
    """Air 0, fat 1, muscle 2, bone 3, lung 4, liver 5 of a trunk 240 mm long: nothing of it is symmetric."""
    z, y, x = (axis * step_mm for axis in np.meshgrid(*map(np.arange, shape), indexing="ij", sparse=True))
    found = np.zeros(shape, dtype=np.int64)

    def put(label: int, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> None:
        distance = sum(((at - c) / r) ** 2 for at, c, r in zip((z, y, x), centre, radii, strict=True))
        found[distance <= 1.0] = label

    for label, half in ((1, 150.0), (2, 135.0)):
        put(label, (120.0, 210.0, 210.0), (1e6, half * 0.7, half))
    for side in (-70.0, 70.0):
        put(4, (230.0, 200.0, 210.0 + side), (110.0, 65.0, 50.0))
    put(5, (70.0, 195.0, 150.0), (75.0, 65.0, 60.0))
    put(3, (120.0, 275.0, 210.0), (1e6, 22.0, 24.0))
    return found


HU = np.array([-1000.0, -100.0, 50.0, 400.0, -800.0, 60.0], dtype=np.float32)
UPTAKE = np.array([0.0, 0.2, 0.6, 2.0, 0.3, 2.2])


def ct() -> CoarseCt:
    """The trunk on blocks of 4 mm."""
    hu = HU[tissue(BLOCK_MM, (60, 105, 105))]
    nothing = np.zeros(hu.shape, dtype=np.bool_)
    matrix = np.array([[0, 0, BLOCK_MM, 0], [0, BLOCK_MM, 0, 0], [BLOCK_MM, 0, 0, 0], [0, 0, 0, 1.0]])
    return CoarseCt(hu=hu, bone=nothing, canal=nothing, lung=nothing, spacing_mm=(BLOCK_MM,) * 3, matrix=matrix)


def emission(seed: int) -> npt.NDArray[np.float64]:
    """Uptake of the same trunk on voxels of 6 mm, noisy."""
    plain = UPTAKE[tissue(STEP_MM, SHAPE)]
    noisy = plain + np.random.default_rng(seed).normal(scale=0.25, size=SHAPE) * np.sqrt(plain)
    return np.asarray(np.maximum(noisy, 0.0))


def grid(*, flips: tuple[bool, bool, bool] = (False, False, False)) -> VolumeGeometry:
    """The emission's grid, axial, its axes running along z, y, x or against them; its centre stays."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1.0
    for axis, flip in enumerate(flips):
        matrix[2 - axis, axis] = -STEP_MM if flip else STEP_MM
        matrix[2 - axis, 3] = STEP_MM * (SHAPE[axis] - 1) if flip else 0.0
    return VolumeGeometry.from_matrix(matrix, shape=SHAPE, frame_of_reference_uid="1.2.3")


def turned(image: npt.NDArray[np.float64], turn: Turn) -> npt.NDArray[np.float64]:
    """The pixels as a mistake would leave them, so that `turn` sets them right."""
    flipped = np.flip(image, tuple(axis for axis, flip in enumerate(turn.flips) if flip))
    return flipped.transpose(0, 2, 1) if turn.exchanged else flipped


def fit_of(image: npt.NDArray[np.float64], geometry: VolumeGeometry) -> Fit:
    """By the PET/CT branch's own limits."""
    fit = judge_fusion(image, geometry, ct(), limits=LIMITS)
    assert fit is not None
    return fit


@settings(max_examples=20, deadline=None)
@given(turn=turns, seed=st.integers(0, 2**16))
def test_every_turn_is_seen_and_named(turn: Turn, seed: int) -> None:
    """Of the sixteen ways in which an axial image may lie, the right one agrees and each other is told by its name."""
    fit = fit_of(turned(emission(seed), turn), grid())
    if turn == Turn(exchanged=False, flips=(False, False, False)):
        assert fit.agreement(limits=LIMITS) is Agreement.AGREES
    else:
        assert (fit.agreement(limits=LIMITS), fit.other) == (Agreement.CONTRADICTS, turn)


@settings(max_examples=10, deadline=None)
@given(flips=st.tuples(st.booleans(), st.booleans(), st.booleans()), seed=st.integers(0, 2**16))
def test_an_image_that_is_stored_otherwise_is_not_turned(flips: tuple[bool, bool, bool], seed: int) -> None:
    """Pixels and header turned together show the same patient: the fit is the same."""
    image = emission(seed)
    plain = fit_of(image, grid())
    stored = fit_of(np.flip(image, tuple(axis for axis, flip in enumerate(flips) if flip)), grid(flips=flips))
    assert stored.other == plain.other
    assert (stored.as_it_is, stored.at_other) == pytest.approx((plain.as_it_is, plain.at_other), rel=1e-6)


@settings(max_examples=10, deadline=None)
@given(gain=st.floats(1e-3, 1e6), seed=st.integers(0, 2**16))
def test_the_unit_of_the_emission_does_not_matter(gain: float, seed: int) -> None:
    """Counts, Bq/ml or SUV: ranks are compared."""
    image = emission(seed)
    plain, scaled = fit_of(image, grid()), fit_of(image * gain, grid())
    assert scaled.as_it_is == pytest.approx(plain.as_it_is, rel=1e-3)
    assert scaled.agreement(limits=LIMITS) is Agreement.AGREES


def test_the_tracer_does_not_matter() -> None:
    """Bone alone, or all but bone: no tracer is assumed, and a mirror image is seen with either."""
    shown = tissue(STEP_MM, SHAPE)
    for uptake in (np.array([0.0, 0.2, 0.3, 9.0, 0.1, 0.4]), np.array([0.0, 0.4, 1.0, 0.2, 0.5, 6.0])):
        image = uptake[shown]
        assert fit_of(image, grid()).agreement(limits=LIMITS) is Agreement.AGREES
        assert fit_of(image[:, :, ::-1], grid()).agreement(limits=LIMITS) is Agreement.CONTRADICTS


def test_an_image_that_says_nothing_is_not_judged() -> None:
    """An even image fits every way alike: not evaluable, no refusal. Away from the patient there is nothing to fit."""
    even = fit_of(np.ones(SHAPE), grid())
    assert even.agreement(limits=LIMITS) is Agreement.NOT_EVALUABLE
    refuse_misfit(even, limits=LIMITS)
    assert fusion_check(even, limits=LIMITS).verdict is Verdict.NOT_EVALUABLE
    matrix = grid().matrix
    matrix[2, 3] = 5000.0
    away = VolumeGeometry.from_matrix(matrix, shape=SHAPE, frame_of_reference_uid="1.2.3")
    assert judge_fusion(emission(1), away, ct(), limits=LIMITS) is None


def test_a_report_says_what_was_compared() -> None:
    """A misfit is refused with the turn that would mend it; a fit passes; without a CT the header was believed."""
    image = emission(2)
    misfit = fit_of(image[:, :, ::-1], grid())
    with pytest.raises(NotAssessableError) as caught:
        refuse_misfit(misfit, limits=LIMITS)
    assert caught.value.refusal.reason is Reason.UNEXPLAINED_ORIENTATION
    assert "left and right exchanged" in caught.value.refusal.explanation
    assert fusion_check(fit_of(image, grid()), limits=LIMITS).verdict is Verdict.PASS
    absent = fusion_check(None, limits=LIMITS)
    assert (absent.verdict, "the header was believed" in absent.explanation) == (Verdict.NOT_EVALUABLE, True)


@pytest.mark.parametrize(("working_mm", "clear_gain"), [(0.0, 1.05), (8.0, 1.0)])
def test_limits_without_sense_are_refused(working_mm: float, clear_gain: float) -> None:
    """Blocks without a size, and a gain that every image has."""
    with pytest.raises(ValueError, match="larger than"):
        FusionLimits(working_mm=working_mm, clear_gain=clear_gain)
