"""One simulated pair from its folders to its record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bmnode.domain.evaluations import Masks
from bmnode.domain.geometry import VolumeGeometry
from bmnode.domain.pipelines import PipelineRequest
from operators.kernels.lesion_matching.contract import MatchRule
from operators.kernels.lesion_matching.match import LESION_MATCH
from operators.kernels.registration.field import DeformationField
from operators.kernels.registration.registration import RegistrationRefusal, register
from operators.simulation.cohort.protocol_keys import Modality
from operators.simulation.truth.read import TruthFolder, load_truth
from pipelines.app import PIPELINE
from pipelines.evaluation.lesion_matching.records import PairRecord
from pipelines.evaluation.lesion_matching.scores import Tally, tally
from pipelines.evaluation.lesion_matching.truth import Seen, found_masks, measured_series, related, story_of, true_masks
from pipelines.evaluation.registration.pair import Scan, load_scan, true_motions
from pipelines.follow_up.match import Matcher
from pipelines.follow_up.registration import profile
from pipelines.follow_up.scan import bone_of_ct

DILATED = MatchRule(method="DILATED_10MM", least_share=1.0, link_mm=10.0, gate_mm=25.0, dilation_mm=10.0)
"""The clinical reference, 8.2 step 6, to the letter: lesions of one bone that are up to 10 mm apart are one group."""
RULES = (LESION_MATCH, DILATED)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Scan:
    scan: Scan
    truth: TruthFolder
    files: tuple[Path, ...]

    @property
    def fields(self) -> tuple[VolumeGeometry, ...]:
        """The CT's grid, and that of the series on which lesions are drawn."""
        series = measured_series(self.truth.study)
        drawn = VolumeGeometry.from_matrix(
            series.affine_lps,
            shape=(series.shape[0], series.shape[1], series.shape[2]),
            frame_of_reference_uid=series.frame_of_reference_uid,
        )
        return self.scan.ct.geometry, drawn


def evaluate_pair(now: Path, then: Path, *, key: str) -> PairRecord:
    """Register as the node does, match with every rule on true masks and on those found, and compare.

    Args:
        now, then: folders with `dicom` and `truth`, as the simulator writes them.
        key: of the record.
    """
    current, prior = _read(now), _read(then)
    record = PairRecord(key=key, modality=Modality(current.truth.study.modality))
    found = register(
        current.scan.ct,
        prior.scan.ct,
        names=current.scan.names,
        prior_names=prior.scan.names,
        limits=profile().limits,
    )
    if isinstance(found, RegistrationRefusal):
        return replace(record, refusal=found.reason.value)
    for masks, draw in _DRAWN.items():
        drawn = [draw(item, key) for item in (prior, current)]
        missing = next((item for item in drawn if isinstance(item, str)), "")
        if missing:
            record.why_not[masks] = missing
            continue
        before, after = (item for item in drawn if not isinstance(item, str))
        record.tallies[masks] = _tallies(before, after, field=found.field, prior=prior, current=current)
    return record


def _read(folder: Path) -> _Scan:
    files = tuple(sorted(path for path in (folder / "dicom").rglob("*") if path.is_file()))
    return _Scan(scan=load_scan(folder), truth=load_truth(folder / "truth"), files=files)


def _found(scan: _Scan, key: str) -> tuple[Seen, ...] | str:
    """What the branch finds; or in words why it found nothing at all."""
    request = PipelineRequest(study_uid=scan.truth.study.study_uid, files=scan.files, seed=key)
    result = PIPELINE.run(request, lambda _: None)
    if result.refusal is not None:
        return f"a study was refused: {result.refusal.reason.value}"
    return found_masks(scan.truth, result)


_DRAWN: dict[Masks, Callable[[_Scan, str], tuple[Seen, ...] | str]] = {
    Masks.TRUE: lambda scan, _: true_masks(scan.truth),
    Masks.FOUND: _found,
}


def _tallies(
    before: tuple[Seen, ...], after: tuple[Seen, ...], *, field: DeformationField, prior: _Scan, current: _Scan
) -> dict[str, Tally]:
    motions, _ = true_motions(current.truth.study, prior.truth.study)
    story = story_of(
        before,
        after,
        pairs=related(current.truth.study, prior.truth.study),
        motions=motions,
        fields=(prior.fields, current.fields),
    )
    matcher = Matcher(
        field=field,
        bone_of=bone_of_ct(current.scan.names),
        prior_fields=prior.fields,
        current_fields=current.fields,
    )
    masks = [item.drawn for item in before], [item.drawn for item in after]
    return {rule.method: tally(matcher.groups(*masks, rule=rule), story) for rule in RULES}
