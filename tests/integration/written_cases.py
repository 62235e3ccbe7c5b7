"""Studies of every kind with what is written about them, for other people's validators and readers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pydicom

from bmnode.domain.objects import OutputOptions, PredecessorDocument, ResultKind, SegEncoding
from bmnode.domain.results import ResultSet
from bmnode.domain.study import Branch
from bmnode.results.context import ResultObject
from bmnode.results.write import write_results
from tests.support.real_data import real_bone_scan
from tests.unit.results import registrations, result_sets, sources
from tests.unit.results.result_sets import CONTEXT
from tests.unit.scintigraphy import scans

Make = Callable[[Path], tuple[sources.SourceSeries, ResultSet]]
_Series = Callable[[Path], sources.SourceSeries]


@dataclasses.dataclass(frozen=True)
class Case:
    """One study with its results."""

    series: sources.SourceSeries
    result_set: ResultSet
    objects: tuple[ResultObject, ...]

    def paths(self, kind: ResultKind) -> list[Path]:
        """The files of this kind."""
        return [item.path for item in self.objects if item.kind is kind]


def _volumetric(make: _Series, branch: Branch, *, synthetic: bool = False) -> Make:
    def build(folder: Path) -> tuple[sources.SourceSeries, ResultSet]:
        series = make(folder)
        return series, result_sets.volumetric(series, branch=branch, synthetic=synthetic)

    return build


def _classic(sop_class: str, modality: str, *, oblique: bool = False) -> _Series:
    return lambda folder: sources.classic_slices(folder, sop_class, modality, oblique=oblique)


def _planar(folder: Path) -> tuple[sources.SourceSeries, ResultSet]:
    series = sources.planar_bone_scan(folder)
    return series, result_sets.planar(series)


def _planar_segmented(folder: Path) -> tuple[sources.SourceSeries, ResultSet]:
    series = sources.planar_bone_scan(folder)
    return series, result_sets.planar_segmented(series)


def _real_bone_scan(folder: Path) -> tuple[sources.SourceSeries, ResultSet]:
    series = _series_of(real_bone_scan())
    return series, result_sets.planar(series, frames=(None,), scale=8.0)


def _superscan(folder: Path) -> tuple[sources.SourceSeries, ResultSet]:
    """What the branch itself makes of a scan whose skeleton takes nearly all of the tracer."""
    folder.mkdir(parents=True)
    path = scans.write_superscan(folder)
    result_set = scans.assess(path)
    assert "possible superscan" in result_set.notices[0]
    return _series_of(path), result_set


def _series_of(path: Path) -> sources.SourceSeries:
    """A series of one file."""
    header = pydicom.dcmread(path, stop_before_pixels=True)
    return sources.SourceSeries(
        study_uid=str(header.StudyInstanceUID),
        series_uid=str(header.SeriesInstanceUID),
        files=(path,),
        instance_uids=(str(header.SOPInstanceUID),),
    )


def _negative(folder: Path) -> tuple[sources.SourceSeries, ResultSet]:
    series = sources.classic_slices(folder, sources.CT, "CT")
    return series, result_sets.negative(series)


def _refused(folder: Path) -> tuple[sources.SourceSeries, ResultSet]:
    series = sources.planar_bone_scan(folder)
    return series, result_sets.refused(series)


def _every_bone(folder: Path) -> tuple[sources.SourceSeries, ResultSet]:
    series = sources.classic_slices(folder, sources.CT, "CT")
    return series, result_sets.every_bone(series)


def _registered(folder: Path) -> tuple[sources.SourceSeries, ResultSet]:
    series = sources.classic_slices(folder, sources.CT, "CT")
    found = (registrations.rigid(series), registrations.deformable(series))
    return series, dataclasses.replace(result_sets.volumetric(series), registrations=found)


def _of_a_branch(make: _Series, branch: Branch) -> dict[str, Make]:
    """What else a branch may say of a study of slices: nothing, everything, or that it cannot be judged."""

    def build(about: Callable[[sources.SourceSeries], ResultSet]) -> Make:
        def written(folder: Path) -> tuple[sources.SourceSeries, ResultSet]:
            series = make(folder)
            return series, about(series)

        return written

    return {
        "negative": build(lambda series: result_sets.negative_volumetric(series, branch=branch)),
        "superscan": build(lambda series: result_sets.superscan(series, branch=branch)),
        "refused": build(lambda series: result_sets.refused(series, branch=branch)),
    }


def _negative_planar(folder: Path) -> tuple[sources.SourceSeries, ResultSet]:
    series = sources.planar_bone_scan(folder)
    return series, result_sets.negative(series, branch=Branch.BONE_SCAN)


def _refused_planar(folder: Path) -> tuple[sources.SourceSeries, ResultSet]:
    series = sources.planar_bone_scan(folder)
    return series, result_sets.refused(series, branch=Branch.BONE_SCAN)


_BRANCHES: dict[str, tuple[_Series, Branch]] = {
    "ct": (_classic(sources.CT, "CT"), Branch.CT),
    "pet": (_classic(sources.PT, "PT", oblique=True), Branch.PET_CT),
    "mr": (_classic(sources.MR, "MR"), Branch.MRI),
    "spect": (sources.spect_recon, Branch.SPECT),
}
CASES: dict[str, Make] = {
    **{
        f"{outcome}_{name}": case
        for name, (make, branch) in _BRANCHES.items()
        for outcome, case in _of_a_branch(make, branch).items()
    },
    "negative_planar": _negative_planar,
    "refused_planar": _refused_planar,
    "registered": _registered,
    "every_bone": _every_bone,
    "ct": _volumetric(_classic(sources.CT, "CT"), Branch.CT),
    "pet_oblique_simulated": _volumetric(_classic(sources.PT, "PT", oblique=True), Branch.PET_CT, synthetic=True),
    "mr": _volumetric(_classic(sources.MR, "MR"), Branch.MRI),
    "enhanced_mr": _volumetric(sources.enhanced_mr, Branch.MRI),
    "spect": _volumetric(sources.spect_recon, Branch.SPECT),
    "planar": _planar,
    "planar_segmented": _planar_segmented,
    "planar_fictitious": _planar_segmented,
    "real_bone_scan": _real_bone_scan,
    "label_map": _volumetric(_classic(sources.CT, "CT"), Branch.CT),
    "label_map_spect": _volumetric(sources.spect_recon, Branch.SPECT),
    "superscan": _superscan,
    "negative": _negative,
    "refused": _refused,
}
_PICTURES = dataclasses.replace(CONTEXT, output=OutputOptions(pictures=True, document=True))
CONTEXTS = {
    "label_map": CONTEXT.encoded(SegEncoding.LABELMAP),
    "label_map_spect": CONTEXT.encoded(SegEncoding.LABELMAP),
    "planar_fictitious": dataclasses.replace(CONTEXT, output=OutputOptions(fictitious_planar_geometry=True)),
    "planar_segmented": _PICTURES,
    "pet_oblique_simulated": _PICTURES,
    "real_bone_scan": _PICTURES,
    "refused": _PICTURES,
    "superscan": _PICTURES,
    "superscan_pet": _PICTURES,
    "negative_pet": _PICTURES,
    "negative_planar": _PICTURES,
    "negative": dataclasses.replace(
        CONTEXT,
        predecessors=(
            PredecessorDocument(
                kind=ResultKind.SR,
                sop_class_uid="1.2.840.10008.5.1.4.1.1.88.34",
                sop_instance_uid="2.25.11",
                series_uid="2.25.12",
            ),
        ),
    ),
}
"""Where another context than the usual one is tried."""


def written_case(name: str, root: Path) -> Case:
    """One of `CASES`, made and written below the folder."""
    series, result_set = CASES[name](root / "in")
    context = CONTEXTS.get(name, CONTEXT)
    objects = write_results(result_set, source_files=series.files, out_dir=root / "out", context=context)
    return Case(series, result_set, objects)
