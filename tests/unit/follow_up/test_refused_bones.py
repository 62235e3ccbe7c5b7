"""Bones of another patient, of the other side, or none in common: the reason is told, and the result goes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bmnode.domain.codes import Finding
from bmnode.domain.follow_up_codes import Compared, Event, FollowUp
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from bmnode.domain.registration import ImageReference, RegisteredImage
from bmnode.domain.results import FindingResult, ResultSet, Segment, Segmentation, SegmentReference
from bmnode.domain.study import Branch, Classification, SeriesRole
from operators.graph.contract import StudyInput
from operators.kernels.registration.registration import NotRegistered
from operators.kernels.skeleton_sites.sites import SkeletonMap
from pipelines.follow_up.assess import assess_pair
from pipelines.follow_up.contract import Registered
from pipelines.follow_up.match import match_prior
from pipelines.follow_up.register import ReadScan, register_prior
from pipelines.follow_up.scan import CtScan
from tests.unit.follow_up.prior_folders import PRESENT, PRIOR, alone, assert_refused, present, write_prior
from tests.unit.registration.phantom import PELVIS, Phantom

Place = tuple[float, float, float]
NOW = Phantom(frame="1.2.1")
THEN = Phantom(frame="1.2.2", seed=1)
THIGH = Phantom(frame="1.2.3", seed=2, centre_mm=(112.0, -10.0, -112.0), size_mm=(90.0, 90.0, 90.0))
"""A scan of the left thigh alone."""


@cache
def scan_of(phantom: Phantom) -> CtScan:
    """What the reader gives of a phantom's scan."""
    image = RegisteredImage(
        study_uid=PRESENT,
        series_uid=f"{PRESENT}.1",
        frame_of_reference_uid=phantom.frame,
        instances=(ImageReference(sop_class_uid="1.2.840", sop_instance_uid="1.2.9"),),
    )
    return CtScan(ct=phantom.ct(), names=phantom.skeleton(), image=image)


def another_patient() -> CtScan:
    """Bones of quite another form in the same places."""
    random = np.random.default_rng(7)
    bones = {
        name: tuple(
            (
                tuple(np.array(centre) + random.uniform(-14.0, 14.0, 3)),
                tuple(np.array(radii)[random.permutation(3)] * random.uniform(0.6, 1.3, 3)),
            )
            for centre, radii in lobes
        )
        for name, lobes in PELVIS.items()
    }
    return scan_of(Phantom(frame="1.2.4", bones=bones, seed=5))


def other_side() -> CtScan:
    """The same bones; the map calls left what is right."""
    scan = scan_of(THEN)
    names = scan.names
    swapped = SkeletonMap(
        bones=names.bones, sides=-names.sides, matrix=names.matrix, certain=names.certain, method=names.method
    )
    return replace(scan, names=swapped)


def reading(then: CtScan) -> ReadScan:
    """The reader of this pair."""
    return lambda study: then if study.request.study_uid == PRIOR else scan_of(NOW)


def assessed(study: StudyInput, lesions: Sequence[Place] = (), *, geometry: VolumeGeometry | None = None) -> ResultSet:
    """The branch's result: a lesion of 3 by 3 by 3 voxels about each place (LPS mm)."""
    uid = study.request.study_uid
    result = replace(alone(), study_uid=uid)
    if geometry is None or not lesions:
        return result
    segments, findings = [], []
    for number, place in enumerate(lesions, 1):
        at = np.linalg.inv(geometry.matrix) @ np.array([*place, 1.0])
        k, j, i = (round(float(value)) - 1 for value in at[:3])
        mask = CroppedMask(grid_shape=geometry.shape, origin=(k, j, i), values=np.ones((3, 3, 3), dtype=np.bool_))
        name, own = f"bmnode lesion {number}", f"{uid}.9.{number}"
        segments.append(
            Segment(
                label=name,
                category=Finding.ABNORMAL_STRUCTURE,
                type=Finding.LESION,
                mask=mask,
                tracking_id=name,
                tracking_uid=own,
            )
        )
        reference = SegmentReference(segmentation_index=0, segment_number=number)
        findings.append(
            FindingResult(tracking_id=name, tracking_uid=own, finding_type=Finding.LESION, segment=reference)
        )
    drawn = Segmentation(
        source_series_uid=f"{uid}.1", source_instance_uids=("1.2.9",), geometry=geometry, segments=tuple(segments)
    )
    return replace(result, findings=tuple(findings), segmentations=(drawn,))


def with_ct(folder: Path) -> StudyInput:
    """The present study, whose CT the reader gives."""
    roles = Classification(branch=Branch.CT, roles={SeriesRole.ANATOMY: (f"{PRESENT}.1",)})
    return replace(present(folder), classification=roles)


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (lambda: scan_of(THIGH), NotRegistered.NO_BONES_IN_COMMON),
        (other_side, NotRegistered.OTHER_LATERALITY),
        (another_patient, NotRegistered.NOT_ALIKE),
    ],
)
def test_bones_that_speak_against_it_are_a_reason(
    then: Callable[[], CtScan], reason: NotRegistered, tmp_path: Path
) -> None:
    """No bones in common, left on right, other bones: no lesion is compared, and the present result goes out."""
    folder = write_prior(tmp_path, results=False)
    found = register_prior(alone(), study=with_ct(folder), assess_alone=assessed, read=reading(then()))
    assert_refused(found, reason.value)
    assert isinstance(found, ResultSet)
    assert found.registrations == ()


def test_a_lesion_beyond_the_other_field_is_not_assessable(tmp_path: Path) -> None:
    """Of a prior that reaches further down and less far up, the femur's lesion has not disappeared and that of L4 is
    not new: their places are not shown by the other scan, and what is in both fields goes on."""
    now = Phantom(frame="1.2.1", centre_mm=(0.0, 5.0, 5.0), size_mm=(290.0, 130.0, 240.0))
    then = Phantom(frame="1.2.2", centre_mm=(0.0, 5.0, -50.0), size_mm=(290.0, 130.0, 230.0), seed=1)
    sacrum, femur, loin = (0.0, 20.0, 0.0), (112.0, -10.0, -140.0), (0.0, -2.0, 88.0)

    def prior_result(study: StudyInput) -> ResultSet:
        return assessed(study, [sacrum, femur], geometry=then.geometry)

    def read(study: StudyInput) -> CtScan:
        return scan_of(then) if study.request.study_uid == PRIOR else scan_of(now)

    study = with_ct(write_prior(tmp_path, results=False))
    current = assessed(study, [sacrum, loin], geometry=now.geometry)
    registered = register_prior(current, study=study, assess_alone=prior_result, read=read)
    assert isinstance(registered, Registered)
    found = assess_pair(match_prior(registered))
    events = {
        item.tracking_uid: [answer.value for answer in item.evaluations if answer.concept == FollowUp.EVENT]
        for item in found.findings
    }
    assert events == {
        f"{PRIOR}.9.1": [Event.PERSISTENT],
        f"{PRESENT}.9.2": [Event.NOT_ASSESSABLE],
        f"{PRIOR}.9.2": [Event.NOT_ASSESSABLE],
    }
    assert (FollowUp.COMPARISON, Compared.LESIONS) in [(item.concept, item.value) for item in found.evaluations]
    assert found.findings[-1].measurements == ()
