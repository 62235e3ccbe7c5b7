"""Left stays left: what a segment and an outline point at is the lesion, in every modality and patient position.

A lesion sits in every bone of a simulated patient, at a place that its bone's pose alone says. The images go the
product's way (its readers, its writers); what was written is read by others: segments by dcmqi's `segimage2itkimage`,
the report by its `tid1500reader`, outlines by the standard's formulas (PS3.3 C.7.6.2.1.1, C.10.5) from the headers of
the images. dcmqi refuses a planar segmentation without a frame of reference, so there it reads the variant with an
invented plane, and highdicom the usual one.

`BMNODE_EVERY_SIDE=1` runs every combination of modality, plane, obliquity, patient position and kind of object, which
takes some minutes; without it a fixed sample runs, in which each of them occurs.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import segread
from pydicom import dcmread

from bmnode.domain.bones import Bone as NamedBone
from bmnode.domain.codes import Finding, Laterality
from bmnode.domain.geometry import BoolArray, CroppedMask, ImagePolygon
from bmnode.domain.objects import ResultKind
from bmnode.domain.outlines import outline
from bmnode.domain.results import (
    FindingResult,
    Outcome,
    PlanarSegmentation,
    ResultSet,
    Segment,
)
from bmnode.domain.study import Branch
from bmnode.results.write import write_results
from operators.simulation.anatomy.bones import Side
from operators.simulation.compose import SceneBuilder
from operators.simulation.dicom.planar import write_planar
from operators.simulation.fields.planar import planar_field
from operators.simulation.patient import Patient
from operators.simulation.physics.mri_grid import Plane
from operators.simulation.physics.planar import scan_planar
from operators.simulation.protocols.habits import Habits
from operators.simulation.protocols.planar import PlanarProtocol
from tests.integration.simulation.painted import (
    FRAME_UID,
    TURNS,
    ct_files,
    mri_files,
    pet_files,
    planar_files,
    spect_files,
)
from tests.integration.simulation.pair import Pair
from tests.integration.simulation.planar_reported import apart, astray_on_views, report_views
from tests.integration.simulation.reported import VIEWS, FloatArray, astray, measurement_groups, report
from tests.unit.results.result_sets import CONTEXT

MAKERS: Mapping[str, tuple[Callable[..., Sequence[Path]], Branch]] = {
    "ct": (ct_files, Branch.CT),
    "pet": (pet_files, Branch.PET_CT),
    "spect": (spect_files, Branch.SPECT),
    **{f"mr {plane}": (partial(mri_files, plane=plane), Branch.MRI) for plane in Plane},
}
HABITS: Mapping[str, Habits] = {
    "head first": Habits(),
    "feet first": Habits(feet_first=True),
    "head first enhanced": Habits(enhanced=True),
    "feet first enhanced": Habits(feet_first=True, enhanced=True),
}
"""Feet first the slices, and the frames of an object, run the other way."""
NEVER_ENHANCED = "spect"
ALL = [
    (maker, turn, habits)
    for maker in MAKERS
    for turn in TURNS
    for habits in HABITS
    if not (maker == NEVER_ENHANCED and HABITS[habits].enhanced)
]
SAMPLE = [
    ("ct", "straight", "feet first"),
    ("ct", "oblique", "head first"),
    ("ct", "double oblique", "feet first enhanced"),
    ("pet", "straight", "head first"),
    ("pet", "oblique", "feet first"),
    ("pet", "double oblique", "head first enhanced"),
    ("spect", "straight", "head first"),
    ("spect", "oblique", "feet first"),
    ("mr axial", "oblique", "head first"),
    ("mr coronal", "double oblique", "feet first"),
    ("mr sagittal", "straight", "feet first"),
    ("mr sagittal", "oblique", "head first enhanced"),
]
ALL_VIEWS = {
    f"{order}, {position}{', two objects' if single else ''}": Habits(
        posterior_first=order == "POST first", feet_first=position == "feet first", single_views=single
    )
    for order in ("ANT first", "POST first")
    for position in ("head first", "feet first")
    for single in (False, True)
}
SAMPLE_OF_VIEWS = ["ANT first, head first", "POST first, feet first", "ANT first, feet first, two objects"]
IS_COMPLETE = os.environ.get("BMNODE_EVERY_SIDE") == "1"


@pytest.mark.parametrize(("maker", "turn", "habits"), ALL if IS_COMPLETE else SAMPLE, ids=str)
def test_every_bone_on_slices(pair: Pair, tmp_path: Path, maker: str, turn: str, habits: str) -> None:
    """The segment and the outline of the lesion in each bone lie on it, and the report says its side."""
    make, branch = MAKERS[maker]
    files = make(tmp_path / "in", header=pair.header, facts=pair.facts, turn=turn, habits=HABITS[habits])
    found = report(files, pair.facts, branch=branch, out=tmp_path / "out")
    assert list(astray(found, tmp_path)) == []


@pytest.mark.parametrize("name", list(ALL_VIEWS) if IS_COMPLETE else SAMPLE_OF_VIEWS)
def test_every_bone_on_views(pair: Pair, tmp_path: Path, name: str) -> None:
    """The same on both views of a bone scan: behind the patient left is left, in front it is right."""
    for number, facts in enumerate(apart(pair.facts)):
        folder = tmp_path / str(number)
        files = planar_files(folder / "in", header=pair.header, facts=facts, habits=ALL_VIEWS[name])
        found = report_views(files, facts, out=folder / "out")
        assert list(astray_on_views(found, folder)) == []


def test_the_sample_has_everything_once() -> None:
    """Every modality and plane, every obliquity and every kind of object occurs in what always runs."""
    for part, names in enumerate((MAKERS, TURNS, HABITS)):
        assert {case[part] for case in SAMPLE} == set(names)
    assert set(SAMPLE) <= set(ALL)
    assert set(SAMPLE_OF_VIEWS) <= set(ALL_VIEWS)


# --- planar ----------------------------------------------------------------------------


@pytest.mark.parametrize("habits", [Habits(), Habits(posterior_first=True)], ids=["ANT first", "POST first"])
def test_the_brightest_left_lesion_of_a_scan(pair: Pair, scenes: SceneBuilder, tmp_path: Path, habits: Habits) -> None:
    """What the left bones' lesions add to a view is segmented and outlined on that view, on the side where they are:
    the right half of the anterior image, the left half of the posterior one."""
    protocol = PlanarProtocol(kilocounts=4000.0)
    field = planar_field(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    left = tuple(lesion for lesion in pair.marked.lesions if lesion.bone.side is Side.LEFT)

    def scan(patient: Patient, name: str) -> Path:
        image = scan_planar(scenes.scene(patient, field), protocol, seed=1, noise=False)
        image = dataclasses.replace(image, photopeak=np.rint(image.photopeak))
        folder = tmp_path / name
        (file,) = write_planar(folder, header=pair.header, scan=image, protocol=protocol, habits=habits).files
        return file

    marked, plain = scan(dataclasses.replace(pair.plain, lesions=left), "on"), scan(pair.plain, "off")
    gains = _gains(marked, plain)
    objects = write_results(_hot(marked, gains), source_files=[marked], out_dir=tmp_path / "out", context=CONTEXT)
    header = dcmread(marked, stop_before_pixels=True)
    drawn = _drawn(next(item.path for item in objects if item.kind is ResultKind.ROI_SR))
    written = [item.path for item in objects if item.kind is ResultKind.SEG]
    assert len(written) == len(gains) == 2
    for path, (frame, gain) in zip(written, gains.items(), strict=True):
        view = VIEWS[header.DetectorInformationSequence[frame - 1].ViewCodeSequence[0].CodeValue]
        (pixels,) = segread(path).get_pixels_by_source_frame(str(header.SOPInstanceUID), [frame])
        np.testing.assert_array_equal(pixels[..., 0].astype(bool), gain)
        middle = gain.shape[1] / 2.0
        columns = np.nonzero(pixels[..., 0])[1] + 0.5
        on_right = columns > middle
        assert on_right.all() if view == "anterior" else not on_right.any()
        corners = drawn[frame]
        np.testing.assert_array_equal(corners.min(axis=0)[::-1], [axis.min() for axis in np.nonzero(gain)])
        np.testing.assert_array_equal(corners.max(axis=0)[::-1], [axis.max() + 1 for axis in np.nonzero(gain)])


def _gains(marked: Path, plain: Path) -> Mapping[int, BoolArray]:
    """The brightest spot that the lesions add, by frame from 1: the largest of its connected pixels."""
    on, off = (np.asarray(dcmread(path).pixel_array, dtype=float) for path in (marked, plain))
    gains = {}
    for number, (one, other) in enumerate(zip(on, off, strict=True), 1):
        # Equal counts are asked of both scans, so the lesions take some from everywhere else: only gains are lesions.
        gain = np.clip(one - other, 0.0, None)
        peak = np.unravel_index(int(np.argmax(gain)), gain.shape)
        spot = np.zeros(gain.shape, dtype=np.bool_)
        spot[peak[0] - 1 : peak[0] + 2, peak[1] - 1 : peak[1] + 2] = True
        gains[number] = spot
    return gains


def _hot(file: Path, spots: Mapping[int, BoolArray]) -> ResultSet:
    """One finding on both frames."""
    header = dcmread(file, stop_before_pixels=True)
    uid = str(header.SOPInstanceUID)
    finding = FindingResult(
        tracking_id="left",
        tracking_uid="2.25.1",
        finding_type=Finding.LESION,
        laterality=Laterality.LEFT,
        site=NamedBone.FEMUR.code,
        polygons=tuple(
            ImagePolygon(sop_instance_uid=uid, frame_number=frame, points=outline(spot))
            for frame, spot in spots.items()
        ),
    )
    return ResultSet(
        study_uid=str(header.StudyInstanceUID),
        outcome=Outcome.ASSESSED,
        branch=Branch.BONE_SCAN,
        input_series_uids=(str(header.SeriesInstanceUID),),
        findings=(finding,),
        planar_segmentations=tuple(
            PlanarSegmentation(
                source_instance_uid=uid,
                frame_number=frame,
                shape=(spot.shape[0], spot.shape[1]),
                patient_orientation=None,
                segments=(
                    Segment(
                        label="left",
                        category=Finding.ABNORMAL_STRUCTURE,
                        type=Finding.LESION,
                        mask=CroppedMask.from_array(spot[np.newaxis]),
                        tracking_id="left",
                        tracking_uid="2.25.1",
                    ),
                ),
            )
            for frame, spot in spots.items()
        ),
        synthetic=True,
    )


def _drawn(path: Path) -> dict[int, FloatArray]:
    """Corners (column, row) of the outlines by frame."""
    found = {}
    for group in measurement_groups(dcmread(path)):
        (region,) = (item for item in group.ContentSequence if item.ValueType == "SCOORD")
        frame = int(region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber)
        found[frame] = np.array(region.GraphicData, dtype=float).reshape(-1, 2)
    return found
