"""What the reader of a bone scan's result must know, as sentences."""

from __future__ import annotations

from collections.abc import Sequence

from operators.graph.contract import StudyInput
from operators.kernels.scintigraphy_body import Uptake
from operators.readers.planar import ViewName
from pipelines.bone_scan.model import Asked
from pipelines.bone_scan.quality import label_of, possible_superscan
from pipelines.bone_scan.views import BothViews, DetectedView, PreparedView


def limitations(
    study: StudyInput,
    *,
    views: Sequence[DetectedView],
    both: BothViews | None,
    dropped: Sequence[str],
    asked: Asked | None = None,
) -> tuple[str, ...]:
    """Limits of the method, then what this study lacks; `asked` is None where no model is configured."""
    sentences = [
        *_of_method(asked),
        *_of_views(views, both),
        *_of_parts(views),
        *_set_aside(views),
    ]
    if dropped:
        sentences.append(f"Left out: {'; '.join(sorted(set(dropped)))}.")
    if any(series.modality == "NM" and "RECON TOMO" in series.image_type for series in study.headers.series):
        sentences.append("The study also holds SPECT, which was not evaluated with the planar images.")
    return tuple(sentences)


def _of_method(asked: Asked | None) -> list[str]:
    if asked is not None and asked.is_used:
        name, level = asked.model.id, asked.model.level
        return [
            f"Candidates are where the output of the learned model {name} exceeds {level:g}. The output is no "
            "calibrated probability, and a candidate no diagnosis; benign changes may be among them.",
            "The model learned hot lesions alone: what it passes over, and cold lesions, are not found.",
        ]
    sentences = [
        "Hot spots are regions above a threshold: metastases, degenerative, traumatic and normal uptake alike.",
        "Foci fainter than the threshold of their place, and cold lesions, are not found.",
    ]
    if asked is not None:
        sentences.append(
            f"The learned model {asked.model.id} was not used: {'; '.join(asked.reasons)}. Candidates are those of "
            "plain thresholds."
        )
    return sentences


def notices(views: Sequence[PreparedView], *, superscan_limit: float) -> tuple[str, ...]:
    """What the reader should look at first."""
    if not possible_superscan(views, limit=superscan_limit):
        return ()
    return (
        "Review: possible superscan. The skeleton takes nearly all of the tracer; diffuse disease shows no hot spots, "
        "so that their number, the index and changes of both are unreliable.",
    )


def _of_views(views: Sequence[DetectedView], both: BothViews | None) -> list[str]:
    if both is not None:
        return [
            "Hot spots of both views at one place are taken for one lesion and counted once; "
            "two lesions one behind the other are then one."
        ]
    shown = [view.prepared.view for view in views]
    names = {view.name for view in shown if view.is_whole_body} or {view.name for view in shown}
    if names == {ViewName.ANTERIOR, ViewName.POSTERIOR}:
        return ["The views could not be paired: a lesion seen in both views is counted in each."]
    return ["Anterior and posterior views are not both available, or are not stated: one side may be missed."]


def _of_parts(views: Sequence[DetectedView]) -> list[str]:
    return [
        f"No bone is named ({label_of(view.prepared.view)}): {view.prepared.no_regions}."
        for view in views
        if view.prepared.regions is None
    ]


def _set_aside(views: Sequence[DetectedView]) -> list[str]:
    sentences = []
    if {uptake for view in views for uptake in view.uptakes} - {Uptake.CANDIDATE}:
        sentences.append(
            "Bladder, kidneys, injection site, contamination and activity beside the skeleton are labelled by place "
            "alone and not counted; a lesion under them is obscured."
        )
    if not all(view.prepared.is_whole for view in views):
        sentences.append(
            "Where the body is not whole in the field, bladder, kidneys and injection site were not labelled."
        )
    return sentences
