"""What a reader made of a result: accepted, rejected, changed and added lesions.

The rules [P], all but the first for viewers that keep less than they were given:

1. The same Tracking UID is the same lesion, whatever else of it changed.
2. A lesion without a known Tracking UID that has exactly the voxels or outlines of an earlier one is that one.
3. A segment without any Tracking UID, with label and a part of the voxels of an earlier lesion, is that one.
4. Every other lesion was added by the reader.
5. An earlier lesion that is in no report and no segmentation of a set whose report names the earlier one as its
   predecessor is rejected. Where none does so, nothing is known of it: it stays, unreviewed.
6. An unchanged lesion is accepted where a person stands for the report; otherwise it is unreviewed.
7. Where voxels or outlines changed, what was measured and evaluated on the old ones is not carried over. What the
   edited report says of the lesion is, but for exact copies of the old. Site, laterality and type stay until it says
   others.
8. Where any region changed, or a lesion was added or rejected, the measurements of the whole study do not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bmnode.domain.earlier import Decision, EarlierResult, KnownBy, LesionReview, Review
from bmnode.domain.results import Outcome
from bmnode.errors import ResultError
from bmnode.results.edited_set import EditedLesion, lattice_of, read_edited_set
from bmnode.results.edits import find_edits
from bmnode.results.read_back import read_result_objects
from bmnode.results.regions import are_same_outlines, is_same_mask, shared_voxels
from bmnode.results.review_changes import EarlierLesion, added, judge, on_one_grid
from bmnode.results.reviewed_set import assemble
from bmnode.results.sources import SourceStudy


def is_edited(files: Iterable[Path], *, earlier: EarlierResult) -> bool:
    """Whether anything among the files is an edit of the result."""
    objects = read_result_objects(files)
    return bool(find_edits(objects["SR"], objects["SEG"], earlier=earlier))


def read_review(files: Iterable[Path], *, earlier: EarlierResult, images: Sequence[Path] = ()) -> Review:
    """What became of every lesion of the earlier result, by the rules above.

    The earlier result's own objects may be among the files, and others' that are no edits of it (`find_edits`).
    `images` as for `read_back`; both take the same, so that masks come on one grid. Raises ResultError as
    `read_edited_set` does, and where the earlier study was refused.
    """
    if earlier.result_set.outcome is not Outcome.ASSESSED:
        raise ResultError("a study that was not assessed has no lesions to review")
    objects = read_result_objects(files)
    source = SourceStudy.from_files(images, study_uid=earlier.result_set.study_uid) if images else None
    edits = find_edits(objects["SR"], objects["SEG"], earlier=earlier)
    edited = read_edited_set(edits, earlier=earlier, source=source)
    before = _before(earlier)
    pairs = _match(before, edited.lesions)
    reviews, standing = [], []
    for item in before:
        review, stands = judge(item, pairs.get(item.finding.tracking_uid), edited)
        reviews.append(review)
        standing += [stands] if stands is not None else []
    taken = {id(lesion) for lesion, _ in pairs.values()}
    for lesion in edited.lesions:
        if id(lesion) not in taken:
            new = added(lesion)
            standing.append(new)
            reviews.append(
                LesionReview(
                    tracking_id=new.finding.tracking_id,
                    tracking_uid=new.finding.tracking_uid,
                    decision=Decision.ADDED,
                )
            )
    return Review(
        result_set=assemble(earlier, standing, reviews=reviews, edited=edited),
        lesions=tuple(reviews),
        is_verified=edited.is_verified,
        takes_place=edited.takes_place,
    )


# --- which is which --------------------------------------------------------------------


def _before(earlier: EarlierResult) -> list[EarlierLesion]:
    found = []
    for finding in earlier.result_set.findings:
        reference = finding.segment
        if reference is None:
            found.append(EarlierLesion(finding=finding, segment=None, lattice=None))
            continue
        segmentation = earlier.result_set.segmentations[reference.segmentation_index]
        segment = segmentation.segments[reference.segment_number - 1]
        found.append(EarlierLesion(finding=finding, segment=segment, lattice=lattice_of(segmentation)))
    return found


def _match(before: Sequence[EarlierLesion], lesions: Sequence[EditedLesion]) -> dict[str, tuple[EditedLesion, KnownBy]]:
    """The edited lesion of every earlier one that has one, by the earlier one's Tracking UID; rules 1 to 3 in turn."""
    pairs: dict[str, tuple[EditedLesion, KnownBy]] = {}
    known = {item.finding.tracking_uid for item in before}
    taken: set[int] = set()
    for how, is_same in (
        (KnownBy.TRACKING_UID, _has_its_uid),
        (KnownBy.VOXELS, _has_its_region),
        (KnownBy.LABEL, _has_its_label),
    ):
        for item in before:
            uid = item.finding.tracking_uid
            for lesion in lesions:
                is_another = lesion.tracking_uid in known and how is not KnownBy.TRACKING_UID
                if uid in pairs or id(lesion) in taken or is_another:
                    continue
                if is_same(item, lesion):
                    pairs[uid] = (lesion, how)
                    taken.add(id(lesion))
    return pairs


def _has_its_uid(item: EarlierLesion, lesion: EditedLesion) -> bool:
    return lesion.tracking_uid == item.finding.tracking_uid


def _has_its_region(item: EarlierLesion, lesion: EditedLesion) -> bool:
    masks = on_one_grid(item, lesion)
    if masks is not None:
        return is_same_mask(*masks)
    outlines = lesion.finding.polygons if lesion.finding is not None else ()
    return bool(outlines) and are_same_outlines(outlines, item.finding.polygons)


def _has_its_label(item: EarlierLesion, lesion: EditedLesion) -> bool:
    masks = on_one_grid(item, lesion)
    if masks is None or lesion.tracking_uid is not None or lesion.segment is None or item.segment is None:
        return False
    return lesion.segment.label == item.segment.label and shared_voxels(*masks) > 0
