"""Hot spots of a prepared view, what each is taken for, and where it lies."""

from __future__ import annotations

from operators.kernels.planar_network import Output, beside_place, highest, network_spots
from operators.kernels.planar_regions.exclusions import LabelledView, label_by_regions, nearest_part, spot_part
from operators.kernels.scintigraphy import NORMALISED_LEVEL, Counts, HotSpot, hot_spots, minimum_pixels
from operators.kernels.scintigraphy_body import Uptake, label_uptake
from operators.readers.planar import ViewName
from pipelines.bone_scan.profile import BoneScanProfile
from pipelines.bone_scan.views import DetectedView, PreparedView


def detect_view(prepared: PreparedView, *, other_uptake: Counts | None, profile: BoneScanProfile) -> DetectedView:
    """The hot spots of one view, by the regions where they are known, else by the body's height alone."""
    rule = profile.hot_spots
    spots = hot_spots(
        prepared.uptake * NORMALISED_LEVEL,
        thresholds=_thresholds(prepared, profile),
        peak_factor=rule.peak_factor,
        minimum_size=minimum_pixels(rule.minimum_area_mm2, pixel_mm=prepared.pixel_mm),
    )
    regions = prepared.regions
    if regions is None:
        return DetectedView(
            prepared=prepared,
            spots=spots,
            uptakes=_labels_by_place(prepared, spots, profile),
            parts=(None,) * len(spots),
        )
    distance_mm, nearest = nearest_part(regions.parts, pixel_mm=prepared.pixel_mm)
    uptakes = label_by_regions(
        LabelledView(
            spots=spots,
            body=prepared.body,
            parts=regions.parts,
            distance_mm=distance_mm,
            nearest=nearest,
            uptake=prepared.uptake,
            other_uptake=other_uptake,
            pixel_mm=prepared.pixel_mm,
            is_posterior=_is_posterior(prepared),
        ),
        rule=profile.region_exclusions,
    )
    return DetectedView(
        prepared=prepared, spots=spots, uptakes=uptakes, parts=tuple(spot_part(spot, nearest) for spot in spots)
    )


def by_network(ruled: DetectedView, output: Output, *, level: float, profile: BoneScanProfile) -> DetectedView:
    """The candidates of a model in the place of the rules', with what the rules set aside by place.

    Args:
        ruled: the view by the rules; its parts are named.
        output: the model's, on the view's grid.
        level: above which a pixel is a candidate's.
        profile: for the smallest candidate, which is the rules'.

    Raises ValueError where no part of the view is named.
    """
    prepared, regions = ruled.prepared, ruled.prepared.regions
    if regions is None:
        raise ValueError("a model's candidates lie in named parts")
    smallest = minimum_pixels(profile.hot_spots.minimum_area_mm2, pixel_mm=prepared.pixel_mm)
    shape = (prepared.body.shape[0], prepared.body.shape[1])
    found, set_aside = beside_place(
        network_spots(output, level=level, minimum_size=smallest),
        tuple(zip(ruled.spots, ruled.uptakes, strict=True)),
        shape=shape,
    )
    _, nearest = nearest_part(regions.parts, pixel_mm=prepared.pixel_mm)
    spots = (*found, *(spot for spot, _ in set_aside))
    return DetectedView(
        prepared=prepared,
        spots=spots,
        uptakes=(*(Uptake.CANDIDATE for _ in found), *(uptake for _, uptake in set_aside)),
        parts=tuple(spot_part(spot, nearest) for spot in spots),
        outputs=(*(highest(output, spot) for spot in found), *(None for _ in set_aside)),
    )


def _is_posterior(prepared: PreparedView) -> bool:
    return prepared.view.name is ViewName.POSTERIOR


def _thresholds(prepared: PreparedView, profile: BoneScanProfile) -> Counts:
    rule, regions = profile.hot_spots, prepared.regions
    if regions is not None and regions.upper_normal is not None:
        return rule.normal.over(regions.upper_normal)
    shape = (prepared.body.shape[0], prepared.body.shape[1])
    frame = prepared.frame if prepared.is_whole else None
    return rule.thresholds.over(shape, frame=frame, rule=profile.exclusions)


def _labels_by_place(
    prepared: PreparedView, spots: tuple[HotSpot, ...], profile: BoneScanProfile
) -> tuple[Uptake, ...]:
    return label_uptake(
        spots,
        body=prepared.body,
        frame=prepared.frame if prepared.is_whole else None,
        is_posterior=_is_posterior(prepared),
        rule=profile.exclusions,
    )
