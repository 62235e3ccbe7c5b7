"""Every number of a bone scan's SR, computed anew from its outlines, the pixels and the stated normal levels.

The regions' shares need the regions as well: they are found anew from the pixels. A measurement
that is not in the tables below fails: no number goes unwitnessed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt

from bmnode.domain.codes import Code, Concept, Derivation, UptakeKind
from bmnode.domain.geometry import ImagePolygon
from bmnode.domain.outlines import rasterise
from bmnode.domain.results import Measurement
from bmnode.results.reading import Report, ReportedFinding
from operators.kernels import bone_scan_index
from operators.kernels.bone_scan_index.index import planar_index
from operators.kernels.bone_scan_index.planar import PlanarView
from operators.kernels.bone_scan_index.regions import BoneRegion
from operators.kernels.bone_scan_index.tables import spiers_1968
from operators.kernels.planar_regions.atlas_regions import AtlasRegions
from operators.kernels.planar_regions.contract import ViewImage
from operators.kernels.planar_regions.parts import bone_labels
from operators.kernels.scintigraphy import body_mask
from operators.kernels.scintigraphy_body import body_frame
from pipelines.bone_scan.profile import load

Counts = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
SHARE = "BSI-"
SIDES = {"-L": "_left", "-R": "_right"}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scan:
    """The images by view (`ANT`, `POST`, `VIEW`): frame number and counts (row, column), head up; area of a pixel."""

    views: Mapping[str, tuple[int | None, Counts]]
    pixel_mm: float

    @property
    def pixel_cm2(self) -> float:
        """Of one pixel."""
        return self.pixel_mm**2 / 100.0

    def view_of(self, polygon: ImagePolygon) -> str:
        """Which view an outline lies on."""
        (name,) = (
            name for name, (frame, _) in self.views.items() if len(self.views) == 1 or frame == polygon.frame_number
        )
        return name

    def mask_of(self, polygon: ImagePolygon) -> Mask:
        """The outline's pixels."""
        return rasterise(polygon.points, shape=self.views[self.view_of(polygon)][1].shape)


def expected_numbers(report: Report, scan: Scan) -> Iterator[tuple[Measurement, float]]:
    """Every measurement with what it must be, but for the normal levels, which are inputs.

    Raises KeyError for a measurement that has no witness here.
    """
    levels = {
        item.concept.value.removeprefix("NORMAL-"): item.value
        for item in report.measurements
        if item.concept.value.startswith("NORMAL-")
    }
    for finding in report.findings:
        yield from _of_finding(finding, scan, levels)
    for item in report.measurements:
        if not item.concept.value.startswith("NORMAL-"):
            yield item, _of_study(item, report, scan, levels)


def _of_finding(
    finding: ReportedFinding, scan: Scan, levels: Mapping[str, float]
) -> Iterator[tuple[Measurement, float]]:
    """Four numbers an outline, in the order of the outlines, then what both give; the second's have their own names."""
    expected: list[tuple[bool, Code | None, float]] = []
    for place, polygon in enumerate(finding.polygons):
        view = scan.view_of(polygon)
        inside, level = scan.views[view][1][scan.mask_of(polygon)], levels[view]
        expected += [
            (place == 1, Derivation.MAXIMUM, float(inside.max()) / level),
            (place == 1, Derivation.MEAN, float(inside.mean()) / level),
            (place == 1, None, inside.size * scan.pixel_cm2),
            (place == 1, Derivation.TOTAL, float(inside.sum())),
        ]
    if len(finding.polygons) == 2:
        means = [value for _, derivation, value in expected if derivation == Derivation.MEAN]
        expected.append((False, Derivation.MEAN, float(np.sqrt(np.prod(means)))))
    for item, (second, derivation, value) in zip(finding.measurements, expected, strict=True):
        assert item.derivation == derivation
        assert item.concept.meaning.endswith("second outline") == second
        yield item, value


def _candidates(report: Report) -> list[ReportedFinding]:
    return [
        finding for finding in report.findings if UptakeKind.CANDIDATE in {item.value for item in finding.evaluations}
    ]


def _of_study(item: Measurement, report: Report, scan: Scan, levels: Mapping[str, float]) -> float:
    candidates = _candidates(report)
    outlines = [outline for finding in candidates for outline in finding.polygons]
    ratios = [
        scan.views[scan.view_of(outline)][1][scan.mask_of(outline)] / levels[scan.view_of(outline)]
        for outline in outlines
    ]
    shares = {_region(other.concept): other.value / 100.0 for other in report.measurements if _is_share(other.concept)}
    table = tomllib.loads(resources.files(bone_scan_index).joinpath("coef_spiers1968.toml").read_text())["percent"]
    plain: Mapping[Code, Callable[[], float]] = {
        Concept.LESION_COUNT: lambda: float(len(candidates)),
        Concept.LESION_AREA: lambda: sum(ratio.size for ratio in ratios) * scan.pixel_cm2,
        Concept.LESION_INTENSITY: lambda: float(np.concatenate(ratios).mean()),
        Concept.BONE_SCAN_INDEX: lambda: sum(table[region] * share for region, share in shares.items()),
        Concept.BONE_SCAN_COVERAGE: lambda: 100.0 * sum(table[region] for region in shares) / sum(table.values()),
    }
    if item.concept in plain:
        return plain[item.concept]()
    if item.concept.value.startswith("LESIONS-"):
        name = item.concept.value.removeprefix("LESIONS-")
        return float(sum(scan.view_of(outline) == name for outline in outlines))
    if _is_share(item.concept):
        return 100.0 * shares_of(report, scan)[BoneRegion(_region(item.concept))]
    raise KeyError(f"{item.concept.meaning} ({item.method}) has no witness")


def _is_share(concept: Code) -> bool:
    return concept.value.startswith(SHARE) and concept != Concept.BONE_SCAN_COVERAGE


def _region(concept: Code) -> str:
    name = concept.value.removeprefix(SHARE)
    return name[:-2].lower() + SIDES[name[-2:]] if name[-2:] in SIDES else name.lower()


def shares_of(report: Report, scan: Scan) -> dict[BoneRegion, float]:
    """Each region's involved share, from the report's outlines and regions that are found anew."""
    candidates = [id(finding) for finding in _candidates(report)]
    profile, pixel = load(), (scan.pixel_mm, scan.pixel_mm)
    maps = {}
    for name, (_, counts) in scan.views.items():
        body = body_mask(counts, pixel_mm=pixel, rule=profile.body)
        frame = body_frame(body, field=counts > 0)
        assert frame is not None
        view = ViewImage(counts=counts, body=body, frame=frame, pixel_mm=pixel, is_posterior=name == "POST")
        masks = {True: np.zeros_like(body), False: np.zeros_like(body)}
        for finding in report.findings:
            for outline in finding.polygons:
                if scan.view_of(outline) == name:
                    masks[id(finding) in candidates] |= scan.mask_of(outline)
        parts = AtlasRegions.shipped(profile.regions).find(view).parts
        maps[name] = PlanarView(labels=bone_labels(parts), hot=masks[True], excluded=masks[False])
    index = planar_index(anterior=maps["ANT"], posterior=maps["POST"], table=spiers_1968())
    return {
        item.involvement.region: item.involvement.fraction
        for item in index.regions
        if item.involvement.fraction is not None
    }
