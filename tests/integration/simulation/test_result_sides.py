"""Left stays left: what a segment and an outline point at is the lesion, in every modality and patient position.

A lesion sits in every bone of a simulated patient, at a place that its bone's pose alone says. The images go the
product's way (its readers, its writers); what was written is read by others: segments by dcmqi's `segimage2itkimage`,
the report by its `tid1500reader`, outlines by the standard's formulas (PS3.3 C.7.6.2.1.1, C.10.5) from the headers of
the images. dcmqi refuses a planar segmentation without a frame of reference, so there highdicom reads it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
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
from operators.simulation.anatomy.bones import Bone, Side
from operators.simulation.compose import SceneBuilder
from operators.simulation.dicom.ct import write_ct
from operators.simulation.dicom.mri import write_mri
from operators.simulation.dicom.pet import write_pet
from operators.simulation.dicom.planar import write_planar
from operators.simulation.dicom.spect import write_spect
from operators.simulation.fields.ct import ct_field
from operators.simulation.fields.mri import mri_fields
from operators.simulation.fields.pet import pet_field
from operators.simulation.fields.planar import planar_field
from operators.simulation.fields.spect import spect_field
from operators.simulation.patient import Patient
from operators.simulation.physics.ct import scan_ct
from operators.simulation.physics.mri import scan_mri
from operators.simulation.physics.pet import scan_pet
from operators.simulation.physics.planar import scan_planar
from operators.simulation.physics.spect import scan_spect
from operators.simulation.protocols.ct import CtProtocol, Region
from operators.simulation.protocols.habits import Habits
from operators.simulation.protocols.mri import MrProtocol
from operators.simulation.protocols.mri import Sequence as MrSequence
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.protocols.planar import PlanarProtocol
from operators.simulation.protocols.spect import SpectProtocol
from operators.simulation.tracer import Tracer
from tests.integration.simulation.pair import Pair
from tests.integration.simulation.reported import (
    FRAME_UID,
    VIEWS,
    FloatArray,
    astray,
    bones,
    measurement_groups,
    report,
)
from tests.unit.results.result_sets import CONTEXT


def test_ct(pair: Pair, scenes: SceneBuilder, tmp_path: Path) -> None:
    """Every bone of a whole-body CT."""
    protocol = CtProtocol(region=Region.WHOLE_BODY, slice_mm=5.0, increment_mm=5.0, pixel_mm=2.5, field_mm=680.0)
    field = ct_field(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    volume = scan_ct(scenes.scene(pair.marked, field), protocol, seed=1, noise=False)
    files = write_ct(tmp_path / "in", header=pair.header, volume=volume, protocol=protocol, habits=Habits()).files
    found = report(files, pair.facts, branch=Branch.CT, out=tmp_path / "out")
    assert {lesion.bone for lesion in pair.facts} - bones(found) == set()
    assert list(astray(found, tmp_path)) == []


@pytest.mark.parametrize("feet_first", [False, True], ids=["head first", "feet first"])
def test_pet(pair: Pair, scenes: SceneBuilder, tmp_path: Path, feet_first: bool) -> None:
    """Every bone of a whole-body PET; feet first the slices run the other way."""
    protocol = PetProtocol(tracer=Tracer.NAF, region=Region.WHOLE_BODY, voxel_mm=5.0, slice_mm=5.0)
    field = pet_field(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    volume = scan_pet(scenes.scene(pair.marked, field), protocol, seed=1, noise=False)
    habits = Habits(feet_first=feet_first)
    files = write_pet(tmp_path / "in", header=pair.header, volume=volume, protocol=protocol, habits=habits).files
    found = report(files, pair.facts, branch=Branch.PET_CT, out=tmp_path / "out")
    assert {lesion.bone for lesion in pair.facts} - bones(found) == set()
    assert list(astray(found, tmp_path)) == []


@pytest.mark.parametrize(
    ("feet_first", "centre"), [(False, Bone.T6), (True, Bone.L5)], ids=["head first", "feet first"]
)
def test_spect(pair: Pair, scenes: SceneBuilder, tmp_path: Path, feet_first: bool, centre: Bone) -> None:
    """The bones of chest and pelvis in one object of many frames, counted from either end."""
    protocol = SpectProtocol(centre=centre, length_mm=420.0, voxel_mm=4.42, resolution_mm=8.0)
    field = spect_field(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    volume = scan_spect(scenes.scene(pair.marked, field), protocol, seed=1, noise=False)
    habits = Habits(feet_first=feet_first)
    files = write_spect(tmp_path / "in", header=pair.header, volume=volume, protocol=protocol, habits=habits).files
    found = report(files, pair.facts, branch=Branch.SPECT, out=tmp_path / "out")
    assert len(bones(found)) > 15
    assert list(astray(found, tmp_path)) == []


@pytest.mark.parametrize("oblique_deg", [0.0, 20.0], ids=["straight", "oblique"])
@pytest.mark.parametrize("sequence", [MrSequence.T1, MrSequence.DIXON], ids=["coronal", "axial"])
def test_mri(pair: Pair, scenes: SceneBuilder, tmp_path: Path, sequence: MrSequence, oblique_deg: float) -> None:
    """The bones of the trunk on coronal and axial slices, straight and turned by 20 degrees."""
    protocol = MrProtocol(
        sequences=(sequence,), pixel_mm=3.0, slice_mm=6.0, gap_mm=0.0, bias_field=0.0, oblique_deg=oblique_deg
    )
    (field,) = mri_fields(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    scene = scenes.scene(pair.marked, field.scene_geometry)
    volumes = scan_mri(scene, protocol, field, seed=1, noise=False)[:1]
    written = write_mri(tmp_path / "in", header=pair.header, volumes=volumes, protocol=protocol, habits=Habits())
    (series,) = written
    found = report(series.files, pair.facts, branch=Branch.MRI, out=tmp_path / "out")
    assert len(bones(found)) > 25
    assert list(astray(found, tmp_path)) == []


# --- planar ----------------------------------------------------------------------------


@pytest.mark.parametrize("habits", [Habits(), Habits(posterior_first=True)], ids=["ANT first", "POST first"])
def test_planar(pair: Pair, scenes: SceneBuilder, tmp_path: Path, habits: Habits) -> None:
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
