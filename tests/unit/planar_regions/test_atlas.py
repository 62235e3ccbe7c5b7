"""The shipped atlas, and what it finds on a view that looks like it."""

from __future__ import annotations

import hashlib
import io
from importlib import resources

import numpy as np
import pytest

from bmnode.errors import ConfigError
from operators.kernels import planar_regions
from operators.kernels.planar_regions.atlas import ATLAS_FILE, PlanarAtlas, shipped_atlas
from operators.kernels.planar_regions.atlas_regions import AtlasRegions
from operators.kernels.planar_regions.contract import RegionMap, ViewImage
from operators.kernels.planar_regions.parts import PART_NUMBERS, PartMap, PlanarPart, mirrored
from operators.kernels.scintigraphy import body_mask
from operators.kernels.scintigraphy_body import body_frame
from pipelines.bone_scan.profile import load

PIXEL = (4.8, 4.8)
LIMIT_BYTES = 200_000


def content() -> bytes:
    """The file that comes along."""
    return resources.files(planar_regions).joinpath(ATLAS_FILE).read_bytes()


def view_of(look: np.ndarray, *, is_posterior: bool) -> ViewImage:
    """A view that looks as the atlas does, in its own orientation, as counts with room about it."""
    counts = np.pad(20.0 * look.astype(np.float64) ** 2, ((20, 30), (10, 25)))
    counts = counts[:, ::-1] if is_posterior else counts
    body = body_mask(counts, pixel_mm=PIXEL, rule=load().body)
    frame = body_frame(body, field=counts > 0)
    assert frame is not None
    return ViewImage(
        counts=np.ascontiguousarray(counts), body=body, frame=frame, pixel_mm=PIXEL, is_posterior=is_posterior
    )


def expected_of(chances: np.ndarray) -> PartMap:
    """The likeliest part of the atlas where `view_of` puts it, seen as from the front."""
    return np.pad(chances.argmax(axis=0).astype(np.uint8), ((20, 30), (10, 25)))


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Twice the shared pixels by all."""
    return 2.0 * int(np.count_nonzero(one & other)) / max(1, int(np.count_nonzero(one)) + int(np.count_nonzero(other)))


def test_the_file_is_small_and_named_by_its_digest() -> None:
    """At most 200 kB, with id, source and the SHA-256 of its bytes; written anew it is the same file."""
    atlas = shipped_atlas()
    assert len(content()) <= LIMIT_BYTES
    assert atlas.sha256 == hashlib.sha256(content()).hexdigest()
    assert atlas.id
    assert "seeds" in atlas.source
    assert atlas.to_bytes() == content()


def test_damaged_files_are_refused() -> None:
    """What is no archive, is cut short or has other parts is refused, never read in part."""
    buffer = io.BytesIO()
    np.savez(buffer, about=np.frombuffer(b'{"id": "x", "source": "y", "parts": ["skull"]}', dtype=np.uint8))
    for damaged in (b"no archive", content()[:5000], buffer.getvalue()):
        with pytest.raises(ConfigError, match="atlas"):
            PlanarAtlas.from_bytes(damaged, name="x.npz")


def test_no_side_is_preferred() -> None:
    """The atlas is its own mirror image but for rounding."""
    atlas = shipped_atlas()
    for view in (0, 1):
        parts = atlas.chances[view].argmax(axis=0).astype(np.uint8)
        assert np.count_nonzero(mirrored(parts) != parts) < 0.01 * np.count_nonzero(parts)


@pytest.fixture(scope="module", params=[False, True], ids=["anterior", "posterior"])
def found(request: pytest.FixtureRequest) -> tuple[bool, RegionMap]:
    """The parts of a view that looks like the atlas."""
    atlas = shipped_atlas()
    view = view_of(atlas.look_of(is_posterior=request.param), is_posterior=request.param)
    return request.param, AtlasRegions(rule=load().regions, atlas=atlas).find(view)


def test_the_atlas_finds_itself(found: tuple[bool, RegionMap]) -> None:
    """On a view that looks like the atlas the parts lie where the atlas has them, sides included."""
    is_posterior, regions = found
    expected = expected_of(shipped_atlas().chances[int(is_posterior)])
    expected = expected[:, ::-1] if is_posterior else expected
    assert regions.agreement > 0.98
    for part in PlanarPart:
        truth = expected == PART_NUMBERS[part]
        if np.count_nonzero(truth) > 100 and "forearm" not in part:
            assert dice(regions.parts == PART_NUMBERS[part], truth) > 0.8, part


def test_sides_are_the_patients(found: tuple[bool, RegionMap]) -> None:
    """The right femur lies on the image's left in an anterior view and on its right in a posterior one."""
    is_posterior, regions = found
    right, left = (
        float(np.nonzero(regions.parts == PART_NUMBERS[part])[1].mean())
        for part in (PlanarPart.FEMUR_RIGHT, PlanarPart.FEMUR_LEFT)
    )
    assert (right > left) == is_posterior


def test_another_picture_does_not_agree() -> None:
    """Noise in the shape of a body does not reach the agreement that regions need."""
    view = view_of(shipped_atlas().look_of(is_posterior=False), is_posterior=False)
    noise = np.random.default_rng(3).poisson(20.0, view.counts.shape) * view.body
    blank = ViewImage(
        counts=noise.astype(np.float64), body=view.body, frame=view.frame, pixel_mm=PIXEL, is_posterior=False
    )
    rule = load().regions
    assert AtlasRegions.shipped(rule).find(blank).agreement < rule.agreement_min
