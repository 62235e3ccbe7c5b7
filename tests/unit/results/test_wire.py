"""A result set survives the way from the child process to the node."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bmnode.domain.results import ResultSet
from bmnode.errors import ResultError
from bmnode.results.wire import MASKS_FILE, RESULT_FILE, load_result_set, save_result_set
from tests.unit.results import result_sets, sources


@pytest.fixture
def volumetric(tmp_path: Path) -> ResultSet:
    """Two lesions and bone on a CT."""
    return result_sets.volumetric(sources.classic_slices(tmp_path / "ct", sources.CT, "CT"))


def same_result_set(one: ResultSet, other: ResultSet) -> bool:
    """Whether two result sets say the same, masks compared voxel by voxel."""
    plain = {f.name for f in dataclasses.fields(ResultSet)} - {"segmentations"}
    if any(getattr(one, name) != getattr(other, name) for name in plain):
        return False
    for a, b in zip(one.segmentations, other.segmentations, strict=True):
        if (a.geometry, a.source_instance_uids) != (b.geometry, b.source_instance_uids):
            return False
        for x, y in zip(a.segments, b.segments, strict=True):
            same_text = (x.label, x.category, x.site, x.tracking_uid) == (y.label, y.category, y.site, y.tracking_uid)
            if not same_text or not np.array_equal(x.mask.to_array(), y.mask.to_array()):
                return False
    return True


def test_a_result_set_with_masks_comes_back_equal(volumetric: ResultSet, tmp_path: Path) -> None:
    """Every number, code and voxel is the same after the round trip."""
    save_result_set(volumetric, tmp_path / "wire")
    assert same_result_set(load_result_set(tmp_path / "wire"), volumetric)


def test_outlines_and_refusals_come_back_equal(tmp_path: Path) -> None:
    """Result sets without masks survive as well."""
    scan = sources.planar_bone_scan(tmp_path / "planar")
    for name, result_set in (("planar", result_sets.planar(scan)), ("refused", result_sets.refused(scan))):
        save_result_set(result_set, tmp_path / name)
        assert same_result_set(load_result_set(tmp_path / name), result_set)


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / RESULT_FILE
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(version=2), "version 1"),
        (lambda d: d["result_set"].update(extra=1), "unknown key 'extra'"),
        (lambda d: d["result_set"].pop("synthetic"), "key 'synthetic' is missing"),
        (lambda d: d["result_set"].update(synthetic="no"), r"result_set\.synthetic: expected bool, found str"),
        (lambda d: d["result_set"].update(outcome="perhaps"), r"result_set\.outcome"),
        (lambda d: d["result_set"]["findings"][0]["measurements"][1].update(value="7"), r"findings\[0\]\.measurements"),
        (lambda d: d["result_set"]["findings"][0]["segment"].update(segment_number=9), "segment that does not exist"),
        (lambda d: d["result_set"]["segmentations"][0]["segments"][0]["mask"].update(array="mask_9"), "no array"),
        (lambda d: d["result_set"]["segmentations"][0]["segments"][0]["mask"].update(shape=[5, 5, 500]), "mask"),
        (lambda d: d["result_set"]["segmentations"][0]["segments"][0]["mask"].update(origin=[8, 8, 8]), "leaves its"),
    ],
)
def test_what_is_not_as_written_is_refused_by_name(
    change: Callable[[dict[str, Any]], object], message: str, volumetric: ResultSet, tmp_path: Path
) -> None:
    """Reading is strict, and the error names the place."""
    save_result_set(volumetric, tmp_path / "wire")
    _edit(tmp_path / "wire", change)
    with pytest.raises(ResultError, match=message):
        load_result_set(tmp_path / "wire")


def test_an_unfinished_folder_is_not_a_result(volumetric: ResultSet, tmp_path: Path) -> None:
    """The document is written last: without it there is no result set."""
    save_result_set(volumetric, tmp_path)
    (tmp_path / RESULT_FILE).unlink()
    with pytest.raises(ResultError, match="not finished"):
        load_result_set(tmp_path)


def test_damaged_masks_are_refused(volumetric: ResultSet, tmp_path: Path) -> None:
    """A truncated archive is an error, not an empty mask."""
    save_result_set(volumetric, tmp_path)
    masks = tmp_path / MASKS_FILE
    masks.write_bytes(masks.read_bytes()[:-40])
    with pytest.raises(ResultError, match="damaged"):
        load_result_set(tmp_path)


class Intruder:
    """What a hostile file would hold: unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        """Called by pickle."""
        return Path.touch, (self.path,)


def test_pickled_arrays_are_refused(volumetric: ResultSet, tmp_path: Path) -> None:
    """An array that would execute code on loading is not loaded."""
    save_result_set(volumetric, tmp_path)
    with (tmp_path / MASKS_FILE).open("wb") as stream:
        np.savez_compressed(stream, mask_0=np.array([Intruder(tmp_path / "executed")], dtype=object))
    with pytest.raises(ResultError, match="mask"):
        load_result_set(tmp_path)
    assert not (tmp_path / "executed").exists()


def test_a_number_that_json_has_not_is_refused(volumetric: ResultSet, tmp_path: Path) -> None:
    """NaN never leaves the process."""
    geometry = volumetric.segmentations[0].geometry
    object.__setattr__(geometry, "affine_lps", ((float("nan"),) * 4,) * 4)
    with pytest.raises(ResultError, match="cannot be written"):
        save_result_set(volumetric, tmp_path)
