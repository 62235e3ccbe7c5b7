"""The operator `match`: which lesion of the earlier scan is which of the present one, and whose Tracking UID it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.codes import Finding, SiteCertainty
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from bmnode.domain.results import ResultSet
from operators.kernels.lesion_matching.contract import Lesion, LesionGroup, MatchRule
from operators.kernels.lesion_matching.gaps import gaps_mm, shares_of_smaller
from operators.kernels.lesion_matching.match import LESION_MATCH, match_lesions
from operators.kernels.lesion_matching.places import PointMap, centroid, mapped_mask, share_within, voxel_places
from operators.kernels.skeleton_sites.sites import SkeletonMap
from pipelines.ct.profile import profile as ct_profile
from pipelines.follow_up.contract import Drawn, Matched, Registered

LEAST_SHOWN = 0.5
"""Share of a lesion in the other scan's field from which on that scan shows its place [P]."""
NOWHERE_MM = (1e6, 1e6, 1e6)
"""Farther from every lesion than any gate."""
_LESIONS = frozenset({Finding.LESION, Finding.BONE_METASTASIS})


def match_prior(registered: Registered) -> Matched:
    """The lesions of both scans in groups; without groups where there is no motion between the scans."""
    pair = registered.pair
    current, prior = lesions_of(pair.result), lesions_of(pair.earlier.result_set)
    if registered.motion is None or registered.names is None:
        return Matched(registered=registered, prior=prior, current=current)
    matcher = Matcher(
        field=registered.motion.field,
        names=registered.names,
        prior_fields=(*registered.prior_fields, *_grids(pair.earlier.result_set)),
        current_fields=(*registered.current_fields, *_grids(pair.result)),
    )
    return Matched(registered=registered, prior=prior, current=current, groups=matcher.groups(prior, current))


def _grids(result: ResultSet) -> tuple[VolumeGeometry, ...]:
    return tuple(item.geometry for item in result.segmentations)


def lesions_of(result: ResultSet) -> tuple[Drawn, ...]:
    """The lesions of a result that have voxels; what is no longer found has none, and is none of this scan."""
    found = []
    for finding in result.findings:
        if finding.segment is not None and finding.finding_type in _LESIONS:
            segmentation = result.segmentations[finding.segment.segmentation_index]
            mask = segmentation.segments[finding.segment.segment_number - 1].mask
            found.append(Drawn(finding=finding, mask=mask, geometry=segmentation.geometry))
    return tuple(found)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Matcher:
    """What is known of two scans beside their lesions.

    Args:
        field: from the present scan to the earlier one.
        names: of the present scan's bones; lesions of both scans are named by them.
        prior_fields, current_fields: grids of a scan; it shows a place that lies in all of them.
    """

    field: PointMap
    names: SkeletonMap
    prior_fields: tuple[VolumeGeometry, ...]
    current_fields: tuple[VolumeGeometry, ...]

    def groups(
        self, prior: Sequence[Drawn], current: Sequence[Drawn], *, rule: MatchRule = LESION_MATCH
    ) -> tuple[LesionGroup, ...]:
        """Lesions in groups by the rule. The lesions of the present scan lie on one grid."""
        grid = current[0].geometry if current else None
        mapped = [None if grid is None else self._mapped(item, grid) for item in prior]
        before = [self._before(item, mask, grid) for item, mask in zip(prior, mapped, strict=True)]
        gaps = shares = np.zeros((len(prior), len(current)))
        if grid is not None:
            masks = [item.mask for item in current]
            shares = shares_of_smaller(mapped, masks)
            gaps = gaps_mm(mapped, masks, spacing_mm=grid.spacing_mm, reach_mm=max(rule.link_mm, rule.dilation_mm))
        return match_lesions(before, [self._now(item) for item in current], gaps_mm=gaps, shares=shares, rule=rule)

    def _mapped(self, item: Drawn, grid: VolumeGeometry) -> CroppedMask | None:
        return mapped_mask(item.mask, self.field, source=item.geometry, target=grid)

    def _before(self, item: Drawn, mapped: CroppedMask | None, grid: VolumeGeometry | None) -> Lesion:
        """A lesion of the earlier scan, where it lies in the present one."""
        there = self.field.apply_inverse(voxel_places(item.mask, item.geometry))
        known = there[np.isfinite(there).all(axis=1)]
        return Lesion(
            # Where no way back was found the motion of the whole would be a guess: it is no one's neighbour.
            centroid_mm=centroid(known) if len(known) else NOWHERE_MM,
            bone=None if mapped is None or grid is None else self._bone(mapped, grid),
            shown_by_both=_is_shown(there, self.current_fields),
            volume_ml=_volume_ml(item),
        )

    def _now(self, item: Drawn) -> Lesion:
        places = voxel_places(item.mask, item.geometry)
        return Lesion(
            centroid_mm=centroid(places),
            bone=self._bone(item.mask, item.geometry),
            shown_by_both=_is_shown(self.field.apply(places), self.prior_fields),
            volume_ml=_volume_ml(item),
        )

    def _bone(self, mask: CroppedMask, geometry: VolumeGeometry) -> str | None:
        """Bone and side; None unless the single bone is known."""
        site = self.names.site_of(mask, geometry, limits=ct_profile().sites.lesion)
        if site.site is None or site.certainty != SiteCertainty.BONE:
            return None
        return site.site.value if site.laterality is None else f"{site.site.value} {site.laterality.value}"


def _volume_ml(item: Drawn) -> float:
    return item.mask.voxel_count * item.geometry.voxel_volume_ml


def _is_shown(places_mm: npt.NDArray[np.float64], fields: Sequence[VolumeGeometry]) -> bool:
    return all(share_within(places_mm, field) >= LEAST_SHOWN for field in fields)
