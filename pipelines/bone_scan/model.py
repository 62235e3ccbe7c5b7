"""The learned model of this branch: asked where a scan is of the kind that it saw, else left out with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bmnode.domain.codes import Code
from bmnode.domain.models import BundleFault, BundleId, InputContract
from bmnode.domain.results import Algorithm, QualityCheck, Verdict
from bmnode.domain.study import Branch, SeriesRole
from bmnode.errors import BundleRefusedError
from bmnode.models.bundle import Bundle
from operators.graph.contract import StudyInput
from operators.kernels.input_contract import METHOD as CONTRACT
from operators.kernels.input_contract import ContractVerdict, ObservedInput, compare
from operators.kernels.planar_input import WORKING_MM, network_input, planar_features, to_working
from operators.kernels.planar_network import METHOD, same_side_share
from operators.kernels.planar_regions.contract import ViewImage
from pipelines.bone_scan.quality import label_of
from pipelines.bone_scan.views import BothViews, PreparedView

if TYPE_CHECKING:
    from operators.models.planar import PlanarMaps

ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
SAME_SIDE_MIN = 0.98
"""Of the paired bones that model and atlas both name, the share with one side, below which the model is not believed
[P]; as in the check of a bundle before it is used."""
_ADULT_YEARS = 18.0
_CHECK = "Input of the learned model"


class Finder(Protocol):
    """What names parts and metastases on both views of one sweep; `operators.models.planar.PlanarModel` is one."""

    def find(self, anterior: ViewImage, posterior: ViewImage) -> tuple[PlanarMaps, PlanarMaps]:
        """Maps on each view's own grid."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ScanModel:
    """A bundle at work.

    Args:
        digest: of the bundle, which stands for all of it.
        level: of the output, above which a pixel is a candidate's.
    """

    id: BundleId
    digest: str
    contract: InputContract
    finder: Finder
    level: float

    @classmethod
    def from_folder(cls, folder: Path, *, digest: str | None = None) -> ScanModel:
        """Read, check and load a bundle. Raises BundleRefusedError, also where it is not the one with this digest."""
        from operators.models.planar import PlanarModel

        bundle = Bundle.from_folder(folder)
        if digest is not None and bundle.digest != digest:
            raise BundleRefusedError(f"{bundle.id} is not the bundle that was chosen", fault=BundleFault.DIGEST)
        model = PlanarModel.from_bundle(bundle)
        return cls(id=bundle.id, digest=bundle.digest, contract=bundle.contract, finder=model, level=model.lesion_level)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Asked:
    """What came of a model on one scan.

    Args:
        score: out of distribution, of `INPUT_CONTRACT_V1`; None where it is not evaluable.
        reasons: why the scan was measured without it; empty where it was used.
        unknown: what of the contract could not be compared.
        maps: by index of the view; empty where it was not used.
    """

    model: ScanModel
    score: float | None
    reasons: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    maps: Mapping[int, PlanarMaps] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.reasons) == bool(self.maps):
            raise ValueError("a model was used, or there is a reason why not")

    @property
    def is_used(self) -> bool:
        """Whether candidates and parts are the model's."""
        return bool(self.maps)

    @property
    def algorithm(self) -> Algorithm:
        """Who found the candidates (TID 4019), with the digest by which the bundle is known."""
        parameters = (f"bundle_sha256={self.model.digest}", f"lesion_level={self.model.level:g}", f"spots={METHOD}")
        name = self.model.id
        return Algorithm(name=name.name, version=name.version, family=ARTIFICIAL_INTELLIGENCE, parameters=parameters)

    @property
    def check(self) -> QualityCheck:
        """The scan against what the model saw, as the reader will see it."""
        limit = self.model.contract.score_limit
        score = "not evaluable" if self.score is None else f"{self.score:.2f}"
        words = f"{self.model.id}: out-of-distribution score {score} ({CONTRACT}); at most {limit:g}."
        if self.reasons:
            return QualityCheck(
                name=_CHECK, verdict=Verdict.WARN, explanation=f"{words} Not used: {'; '.join(self.reasons)}."
            )
        unknown = f" Not compared: {'; '.join(self.unknown)}." if self.unknown else ""
        return QualityCheck(name=_CHECK, verdict=Verdict.PASS, explanation=words + unknown)


def ask(
    model: ScanModel, study: StudyInput, *, views: Sequence[PreparedView], both: BothViews | None
) -> tuple[Asked, tuple[PreparedView, ...]]:
    """The model's maps, and the views with its parts; or the reasons why not, and the views as they were."""
    verdict = compare(model.contract, _observed(study, views, both))
    reasons = list(verdict.departures)
    shown = () if both is None else (both.anterior, both.posterior)
    reasons += [
        f"no bone is named by the atlas ({label_of(views[number].view)}), which the model's sides are held against"
        for number in shown
        if views[number].regions is None
    ]
    if both is None or reasons:
        reasons = reasons or ["both views of the whole body are needed"]
        return Asked(model=model, score=verdict.score, reasons=tuple(reasons)), tuple(views)
    maps = model.finder.find(views[both.anterior].image, views[both.posterior].image)
    found = dict(zip(shown, maps, strict=True))
    wrong = _wrong_sides(found, views)
    if wrong:
        return Asked(model=model, score=verdict.score, reasons=wrong), tuple(views)
    asked = Asked(model=model, score=verdict.score, unknown=_unknown(study, model, verdict), maps=found)
    return asked, tuple(_with_parts(view, found.get(number)) for number, view in enumerate(views))


def _with_parts(view: PreparedView, maps: PlanarMaps | None) -> PreparedView:
    if maps is None or view.regions is None:
        return view
    return dataclasses.replace(view, regions=dataclasses.replace(view.regions, parts=maps.parts))


def _wrong_sides(found: Mapping[int, PlanarMaps], views: Sequence[PreparedView]) -> tuple[str, ...]:
    """Why the model is not believed: a lesion on the wrong side is worse than one that is not named."""
    wrong = []
    for number, maps in found.items():
        regions = views[number].regions
        share = None if regions is None else same_side_share(maps.parts, regions.parts)
        if share is None or share < SAME_SIDE_MIN:
            words = "it names no paired bone" if share is None else f"{share:.0%} of its sides are those of the atlas"
            wrong.append(f"{words} ({label_of(views[number].view)}), {SAME_SIDE_MIN:.0%} are needed")
    return tuple(wrong)


def _observed(study: StudyInput, views: Sequence[PreparedView], both: BothViews | None) -> ObservedInput:
    series = study.role(SeriesRole.PLANAR)
    tracers = {item.tracer for item in study.headers.series if item.series_uid in series}
    shown = [] if both is None else [views[both.anterior], views[both.posterior]]
    return ObservedInput(
        branch=Branch.BONE_SCAN,
        tracer=tracers.pop() if len(tracers) == 1 else None,
        spacing_mm=shown[0].pixel_mm if shown and shown[0].view.spacing_mm is not None else (),
        intensity=float(shown[0].view.counts.sum()) / 1000.0 if shown else None,
        coverage=frozenset({"whole_body"} if shown else ()),
        age_years=None,
        features=_features(shown),
    )


def _features(shown: Sequence[PreparedView]) -> Mapping[str, float]:
    if not shown or max(shown[0].pixel_mm) > WORKING_MM:
        return {}
    one, other = (
        network_input(to_working(image.counts, pixel_mm=image.pixel_mm, is_posterior=image.is_posterior))
        for image in (view.image for view in shown)
    )
    return planar_features(one, other)


def _unknown(study: StudyInput, model: ScanModel, verdict: ContractVerdict) -> tuple[str, ...]:
    """Headers keep whether a patient is of age, not the age: for a model of adults that is enough."""
    is_adult = study.headers.is_minor is False and model.contract.age_years.low <= _ADULT_YEARS
    return () if is_adult else verdict.unknown
