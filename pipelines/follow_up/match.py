"""The operator `match`: which lesion of the earlier scan is which of the present one, and whose Tracking UID it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from operators.kernels.lesion_matching.contract import Lesion, LesionGroup, MatchRule
from operators.kernels.lesion_matching.gaps import gaps_mm, shares_of_smaller
from operators.kernels.lesion_matching.match import LESION_MATCH, match_lesions
from operators.kernels.lesion_matching.places import PointMap, centroid, mapped_mask, share_within, voxel_places
from pipelines.follow_up.contract import BoneOf, Drawn, Matched, Registered
from pipelines.follow_up.drawn import lesions_of

LEAST_SHOWN = 0.5
"""Share of a lesion in the other scan's field from which on that scan shows its place [P]."""
NOWHERE_MM = (1e6, 1e6, 1e6)
"""Farther from every lesion than any gate."""


def match_prior(registered: Registered) -> Matched:
    """The lesions of both scans in groups; without groups where there is no motion between the scans."""
    pair, motion = registered.pair, registered.motion
    if motion is None:
        prior, current = lesions_of(pair.earlier.result_set), lesions_of(pair.result)
        return Matched(registered=registered, prior=prior, current=current)
    matcher = Matcher(
        field=motion.field,
        bone_of=motion.bone_of,
        prior_fields=motion.prior_fields,
        current_fields=motion.current_fields,
    )
    groups = matcher.groups(motion.prior, motion.current)
    return Matched(registered=registered, prior=motion.prior, current=motion.current, groups=groups)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Matcher:
    """What is known of two scans beside their lesions.

    Args:
        field: from the present scan to the earlier one.
        bone_of: in the present scan; lesions of both scans are named so.
        prior_fields, current_fields: grids of a scan; it shows a place that lies in all of them.
    """

    field: PointMap
    bone_of: BoneOf
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
            bone=None if mapped is None or grid is None else self.bone_of(mapped, grid),
            shown_by_both=_is_shown(there, self.current_fields),
            volume_ml=_volume_ml(item),
        )

    def _now(self, item: Drawn) -> Lesion:
        places = voxel_places(item.mask, item.geometry)
        return Lesion(
            centroid_mm=centroid(places),
            bone=self.bone_of(item.mask, item.geometry),
            shown_by_both=_is_shown(self.field.apply(places), self.prior_fields),
            volume_ml=_volume_ml(item),
        )


def _volume_ml(item: Drawn) -> float:
    return item.mask.voxel_count * item.geometry.voxel_volume_ml


def _is_shown(places_mm: npt.NDArray[np.float64], fields: Sequence[VolumeGeometry]) -> bool:
    return all(share_within(places_mm, field) >= LEAST_SHOWN for field in fields)
