"""The Bone Scan Index and the lesion burden of a scan's candidates, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from operators.kernels.bone_scan_index.burden import LesionBurden, LesionView, lesion_burden
from operators.kernels.bone_scan_index.index import BoneScanIndex, planar_index
from operators.kernels.bone_scan_index.planar import PlanarView as IndexView
from operators.kernels.bone_scan_index.tables import spiers_1968
from operators.kernels.planar_regions.parts import bone_labels
from pipelines.bone_scan.profile import BoneScanProfile
from pipelines.bone_scan.quality import label_of
from pipelines.bone_scan.views import BothViews, DetectedView

NOT_BOTH = (
    "an anterior and a posterior view of the whole body on one grid are needed, one of each, and both must be stated"
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class IndexOutcome:
    """The index, or why it is withheld. Raises ValueError unless it is one of both."""

    index: BoneScanIndex | None = None
    withheld: str = ""

    def __post_init__(self) -> None:
        if (self.index is None) != bool(self.withheld):
            raise ValueError("an index is given, or withheld with a reason")


def index_of(views: Sequence[DetectedView], both: BothViews | None, *, profile: BoneScanProfile) -> IndexOutcome:
    """The index of both whole-body views; withheld without them, without their regions, or with too few counts."""
    if both is None:
        return IndexOutcome(withheld=f"{NOT_BOTH}.")
    maps = []
    for number in (both.anterior, both.posterior):
        view = views[number]
        prepared, regions = view.prepared, view.prepared.regions
        total = float(prepared.view.counts.sum())
        if total < profile.index.counts_min:
            text = (
                f"{total:,.0f} counts ({label_of(prepared.view)}); at least {profile.index.counts_min:,.0f} are needed."
            )
            return IndexOutcome(withheld=text)
        if regions is None:
            return IndexOutcome(withheld=f"{prepared.no_regions} ({label_of(prepared.view)}).")
        maps.append(
            IndexView(
                labels=bone_labels(regions.parts),
                hot=view.mask_of(candidates=True),
                excluded=view.mask_of(candidates=False),
            )
        )
    index = planar_index(anterior=maps[0], posterior=maps[1], table=spiers_1968(), mode=profile.index.view_mode)
    if index.index_percent is None:
        return IndexOutcome(withheld="no region of the skeleton can be evaluated.")
    return IndexOutcome(index=index)


def burden_of(views: Sequence[DetectedView], both: BothViews | None, *, lesions: int) -> LesionBurden | None:
    """Area and mean intensity of the candidates over both views, and their number; None without both views.

    Counts are those stored, by the normal skeleton's level times 1000.
    """
    if both is None:
        return None
    two = [views[number] for number in (both.anterior, both.posterior)]
    return lesion_burden(
        tuple(
            LesionView(
                lesions=view.mask_of(candidates=True),
                normalised=view.prepared.view.head_up * view.prepared.level.scale,
                pixel_mm=view.prepared.view.spacing_mm,
            )
            for view in two
        ),
        paired_lesions=lesions,
    )
