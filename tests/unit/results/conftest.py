"""Result sets of every kind, written once for all tests of a module."""

from __future__ import annotations

import dataclasses

import pydicom
import pytest

from bmnode.domain.objects import ResultKind
from bmnode.domain.results import ResultSet
from bmnode.results.context import ResultObject
from bmnode.results.write import write_results
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT


@dataclasses.dataclass(frozen=True)
class Case:
    """A result set, its sources and what was written."""

    result_set: ResultSet
    series: sources.SourceSeries
    objects: tuple[ResultObject, ...]

    def object(self, kind: ResultKind) -> pydicom.Dataset:
        """The one object of the kind."""
        (found,) = [item for item in self.objects if item.kind is kind]
        return pydicom.dcmread(found.path)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """One of each: volumetric and simulated, planar, nothing found, refused."""
    root = tmp_path_factory.mktemp("write")
    ct = sources.classic_slices(root / "ct", sources.CT, "CT")
    scan = sources.planar_bone_scan(root / "planar")
    sets = {
        "ct": (ct, result_sets.volumetric(ct)),
        "planar": (scan, result_sets.planar(scan)),
        "negative": (ct, result_sets.negative(ct)),
        "refused": (scan, result_sets.refused(scan)),
    }
    return {
        name: Case(
            result_set,
            series,
            write_results(result_set, source_files=series.files, out_dir=root / f"{name}-out", context=CONTEXT),
        )
        for name, (series, result_set) in sets.items()
    }
