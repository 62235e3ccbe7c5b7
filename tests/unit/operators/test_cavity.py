"""What bone encloses: marrow belongs to it, brain and air do not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from operators.kernels.bone import WorkingBone, segment_bone
from operators.kernels.cavity import CavityLimits
from pipelines.pet_ct.branch import profile
from tests.unit.operators.series import geometry_of

SPACING_MM = (4.0, 3.0, 3.0)
SHAPE = (50, 70, 66)

Mask = npt.NDArray[np.bool_]


def ellipsoid(radii_mm: tuple[float, float, float], *, centre_mm: tuple[float, float, float] = (98, 105, 99)) -> Mask:
    """Voxels inside an ellipsoid, radii and centre along (slice, row, column)."""
    axes = [np.arange(size) * step for size, step in zip(SHAPE, SPACING_MM, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    terms = [((at - c) / r) ** 2 for at, c, r in zip((z, y, x), centre_mm, radii_mm, strict=True)]
    inside: Mask = sum(terms) <= 1.0
    return inside


BRAIN = ellipsoid((72.0, 80.0, 64.0))
SKULL = ellipsoid((80.0, 88.0, 72.0)) & ~BRAIN
FRONTAL_SINUS = ellipsoid((14.0, 9.0, 20.0), centre_mm=(98.0, 19.0, 99.0))
SINUS_WALL = ellipsoid((19.0, 14.0, 25.0), centre_mm=(98.0, 19.0, 99.0)) & ~FRONTAL_SINUS


def head() -> npt.NDArray[np.float32]:
    """HU of a head: scalp 40, skull 900, brain 38, a sinus with air."""
    hu = np.full(SHAPE, -1000.0, dtype=np.float32)
    hu[ellipsoid((88.0, 96.0, 80.0))] = 40.0
    hu[SKULL | SINUS_WALL] = 900.0
    hu[BRAIN & ~SINUS_WALL] = 38.0
    hu[FRONTAL_SINUS] = -950.0
    noise = np.random.default_rng(11).normal(scale=10.0, size=SHAPE)
    return np.asarray(hu + noise, dtype=np.float32)


def segmented(hu: npt.NDArray[np.float32]) -> WorkingBone:
    """Bone with the branch's own thresholds."""
    return segment_bone(hu, geometry_of(hu.shape, spacing_mm=SPACING_MM), profile=profile().skeleton)


@pytest.mark.parametrize("slices", [slice(0, 50), slice(0, 12), slice(0, 25), slice(38, 50)])
def test_the_cranial_cavity_is_not_bone(slices: slice) -> None:
    """Skull without brain, also where the field holds only its base, its lower half or its vertex."""
    bone = segmented(head()[slices]).bone
    skull, brain = SKULL[slices], BRAIN[slices] & ~SINUS_WALL[slices] & ~FRONTAL_SINUS[slices]
    inner = brain & ellipsoid((66.0, 74.0, 58.0))[slices]
    assert (bone & skull).sum() > 0.95 * skull.sum()
    assert (bone & inner).sum() < 0.01 * max(int(inner.sum()), 1)


def test_air_in_a_sinus_is_not_bone() -> None:
    """Bone encloses it, and nothing of it is marrow."""
    assert not (segmented(head()).bone & FRONTAL_SINUS).any()


@pytest.mark.parametrize("marrow_hu", [-70.0, 30.0, 90.0])
def test_marrow_of_a_wide_bone_is_bone(marrow_hu: float) -> None:
    """Fatty, thinned or dense: what lies within 22 mm of cortex belongs to the bone."""
    hu = np.full(SHAPE, -1000.0, dtype=np.float32)
    hu[ellipsoid((150.0, 90.0, 85.0))] = 40.0
    hu[ellipsoid((150.0, 27.0, 27.0))] = 900.0
    marrow = ellipsoid((150.0, 21.0, 21.0))
    hu[marrow] = marrow_hu
    assert segmented(hu).bone[marrow].mean() > 0.99


def test_limits_check_themselves() -> None:
    """A reach smaller than the depth would leave the core's own shell."""
    with pytest.raises(ValueError, match="marrow_depth_mm"):
        CavityLimits(marrow_depth_mm=30.0, reach_mm=20.0)
