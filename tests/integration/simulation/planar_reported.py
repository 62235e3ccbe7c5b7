"""What is written of every lesion of a bone scan's views, and where other programs see it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from highdicom.seg import segread
from pydicom import Dataset, dcmread

from bmnode.domain.bones import Bone as NamedBone
from bmnode.domain.codes import Finding
from bmnode.domain.geometry import BoolArray, CroppedMask, ImagePolygon
from bmnode.domain.ids import derive_uid
from bmnode.domain.objects import OutputOptions, ResultKind
from bmnode.domain.outlines import outline
from bmnode.domain.results import FindingResult, Outcome, PlanarSegmentation, ResultSet, Segment
from bmnode.domain.study import Branch
from bmnode.results.context import ResultObject
from bmnode.results.write import write_results
from operators.simulation.disease.facts import LesionFacts
from operators.simulation.protocols.planar import COLUMNS, ROWS
from tests.integration.simulation.painted import PIXEL_MM, view_places
from tests.integration.simulation.reported import (
    SIDES,
    VIEWS,
    FloatArray,
    measurement_groups,
    segment_places,
)
from tests.support.validators import program, run
from tests.unit.results.result_sets import CONTEXT

FREE_PIXELS = 4.0
"""Between the middles of spots three pixels wide that do not touch."""
HALF_PIXEL = 0.51
"""A spot's middle is the pixel nearest to its lesion."""
FICTITIOUS = dataclasses.replace(
    CONTEXT, job_digest="fictitious", output=OutputOptions(fictitious_planar_geometry=True)
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class View:
    """One frame of an image: the place of every lesion on it as it is stored, by the view's code and the position."""

    uid: str
    frame: int | None
    counts: FloatArray
    places: FloatArray


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportedViews:
    """What was written of the lesions on the views; the second objects have the invented plane."""

    views: tuple[View, ...]
    lesions: tuple[LesionFacts, ...]
    objects: tuple[ResultObject, ...]
    placed: tuple[ResultObject, ...]


def report_views(files: Sequence[Path], facts: Sequence[LesionFacts], *, out: Path) -> ReportedViews:
    """Report the pixels of every lesion painted on the views, with and without the invented plane."""
    views = tuple(view for file in files for view in views_of(file, facts))
    result_set = _result_set(dcmread(files[0], stop_before_pixels=True), views, facts)
    objects, placed = (
        write_results(result_set, source_files=files, out_dir=out / name, context=context)
        for name, context in (("usual", CONTEXT), ("placed", FICTITIOUS))
    )
    return ReportedViews(views=views, lesions=tuple(facts), objects=objects, placed=placed)


def views_of(file: Path, facts: Sequence[LesionFacts]) -> Iterator[View]:
    """The frames of an image. A patient who went in feet first lies the other way round under the camera."""
    dataset = dcmread(file)
    places = dict(zip(("anterior", "posterior"), view_places(facts), strict=True))
    frames = np.asarray(dataset.pixel_array, dtype=float).reshape(-1, ROWS, COLUMNS)
    is_feet_first = dataset.PatientGantryRelationshipCodeSequence[0].CodeValue == "102541007"
    for number, (detector, counts) in enumerate(zip(np.atleast_1d(dataset.DetectorVector), frames, strict=True), 1):
        code = dataset.DetectorInformationSequence[int(detector) - 1].ViewCodeSequence[0].CodeValue
        upright = places[VIEWS[code]]
        yield View(
            uid=str(dataset.SOPInstanceUID),
            frame=number if len(frames) > 1 else None,
            counts=counts,
            places=(ROWS - 1, COLUMNS - 1) - upright if is_feet_first else upright,
        )


def apart(facts: Sequence[LesionFacts]) -> list[list[LesionFacts]]:
    """The lesions in as many groups as it takes for no two of a group to touch on a view."""
    groups: list[list[int]] = []
    places = view_places(facts)
    for index in range(len(facts)):
        for group in groups:
            if np.abs(places[:, group] - places[:, [index]]).max(axis=-1).min() > FREE_PIXELS:
                group.append(index)
                break
        else:
            groups.append([index])
    return [[facts[index] for index in group] for group in groups]


def astray_on_views(found: ReportedViews, folder: Path) -> Iterator[str]:
    """What of the written objects does not lie on its lesion, view by view."""
    drawn = outline_centres(_paths(found.objects, ResultKind.ROI_SR)[0])
    usual, placed = (_paths(objects, ResultKind.SEG) for objects in (found.objects, found.placed))
    for number, view in enumerate(found.views):
        by_dcmqi = segment_places(placed[number], folder / f"labels-{number}")
        by_highdicom = segment_pixels(usual[number], view)
        for segment, lesion in enumerate(found.lesions, 1):
            seen = {
                "segment by dcmqi": by_dcmqi[segment][:, 1::-1].mean(axis=0) / PIXEL_MM,
                "segment by highdicom": np.argwhere(by_highdicom[..., segment - 1]).mean(axis=0),
                "outline": drawn[lesion.name, view.uid, view.frame or 1],
            }
            for what, centre in seen.items():
                gap = float(np.abs(centre - view.places[segment - 1]).max())
                if gap > HALF_PIXEL:
                    yield f"{lesion.name}: the {what} lies {gap:.1f} pixels off on view {number + 1}"
    sides = reported_sides(_paths(found.objects, ResultKind.SR)[0], folder)
    for lesion in found.lesions:
        side = SIDES[lesion.bone.side]
        if sides[lesion.name] != {None if side is None else side.value}:
            yield f"{lesion.name}: the report has it on side {sides[lesion.name]}"


def segment_pixels(path: Path, view: View) -> BoolArray:
    """(row, column, segment) as highdicom finds them by the view that they were made from."""
    seg = segread(path)
    if view.frame is None:
        pixels = seg.get_pixels_by_source_instance([view.uid])
    else:
        pixels = seg.get_pixels_by_source_frame(view.uid, [view.frame])
    return np.asarray(pixels[0], dtype=np.bool_)


def reported_sides(path: Path, folder: Path) -> dict[str, set[str | None]]:
    """What the groups of each tracking identifier say of the side, as `tid1500reader` has them."""
    target = folder / "report.json"
    said = run(program("tid1500reader"), "--inputDICOM", str(path), "--outputMetadata", str(target))
    assert said.returncode == 0, said.stderr
    sides: dict[str, set[str | None]] = {}
    for item in json.loads(target.read_text())["Measurements"]:
        side = item["Laterality"]["CodeValue"] if "Laterality" in item else None
        sides.setdefault(item["TrackingIdentifier"], set()).add(side)
    return sides


def outline_centres(path: Path) -> dict[tuple[str, str, int], FloatArray]:
    """Row and column in the middle of each outline, pixel centres at whole numbers, by lesion, image and frame.

    Image coordinates have the corner of the first pixel at (0, 0), so its centre at (0.5, 0.5) (PS3.3 C.18.6.1.2).
    """
    found = {}
    for item in measurement_groups(dcmread(path)):
        names = {part.ConceptNameCodeSequence[0].CodeValue: part for part in item.ContentSequence}
        reference = names["111030"].ContentSequence[0].ReferencedSOPSequence[0]
        corners = np.array(names["111030"].GraphicData, dtype=float).reshape(-1, 2)[:, ::-1] - 0.5
        lesion = str(names["112039"].TextValue).partition(" (outline")[0]
        place = (lesion, str(reference.ReferencedSOPInstanceUID), int(reference.get("ReferencedFrameNumber") or 1))
        found[place] = (corners.min(axis=0) + corners.max(axis=0)) / 2.0
    return found


def _paths(objects: Sequence[ResultObject], kind: ResultKind) -> list[Path]:
    return [item.path for item in objects if item.kind is kind]


def _result_set(header: Dataset, views: Sequence[View], facts: Sequence[LesionFacts]) -> ResultSet:
    """A finding a lesion, with a segment and an outline on every view."""
    masks = [[view.counts == number for view in views] for number in range(1, len(facts) + 1)]
    return ResultSet(
        study_uid=str(header.StudyInstanceUID),
        outcome=Outcome.ASSESSED,
        branch=Branch.BONE_SCAN,
        input_series_uids=(str(header.SeriesInstanceUID),),
        findings=tuple(
            FindingResult(
                tracking_id=lesion.name,
                tracking_uid=derive_uid("test", lesion.name),
                finding_type=Finding.LESION,
                site=NamedBone[lesion.bone.name.removesuffix("_LEFT").removesuffix("_RIGHT")].code,
                laterality=SIDES[lesion.bone.side],
                polygons=tuple(
                    ImagePolygon(sop_instance_uid=view.uid, frame_number=view.frame, points=outline(mask))
                    for view, mask in zip(views, on_views, strict=True)
                ),
            )
            for lesion, on_views in zip(facts, masks, strict=True)
        ),
        planar_segmentations=tuple(
            PlanarSegmentation(
                source_instance_uid=view.uid,
                frame_number=view.frame,
                shape=(ROWS, COLUMNS),
                patient_orientation=None,
                segments=tuple(
                    _segment(lesion, on_views[number]) for lesion, on_views in zip(facts, masks, strict=True)
                ),
            )
            for number, view in enumerate(views)
        ),
        synthetic=True,
    )


def _segment(lesion: LesionFacts, mask: BoolArray) -> Segment:
    return Segment(
        label=lesion.name[:64],
        category=Finding.ABNORMAL_STRUCTURE,
        type=Finding.LESION,
        mask=CroppedMask.from_array(mask[np.newaxis]),
        tracking_id=lesion.name,
        tracking_uid=derive_uid("test", lesion.name),
    )
