"""The node recognises what is written, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmnode.domain.study import Branch, SeriesRole
from bmnode.selection.classify import classify
from bmnode.selection.headers import read_study
from operators.simulation.dicom.ct import write_ct
from operators.simulation.dicom.pet import write_pet
from operators.simulation.images import Content
from operators.simulation.protocols.ct import CtProtocol
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.tracer import Tracer
from tests.unit.simulation.dicom import small
from tests.unit.simulation.dicom.conftest import Written
from tests.unit.simulation.dicom.small import HABITS, Kind

BRANCHES = {
    Kind.PLANAR: Branch.BONE_SCAN,
    Kind.SPECT: Branch.SPECT,
    Kind.SPECT_COUNTS: Branch.SPECT,
    Kind.CT: Branch.CT,
    Kind.PET: Branch.PET_CT,
    Kind.MRI: Branch.MRI,
}
PET_TRACERS = [tracer for tracer in Tracer if tracer not in (Tracer.MDP, Tracer.HDP)]


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("kind", Kind)
def test_a_study_takes_its_branch(written: Written, kind: Kind, habit: str) -> None:
    """Each examination is classified as what it is, with every habit, and no file is unreadable."""
    reading = read_study(small.paths(written(kind, habit)))
    assert reading.unreadable == ()
    assert classify(reading.headers).branch is BRANCHES[kind]


@pytest.mark.parametrize("habit", ["plain", "ge", "philips", "siemens", "missing_optional", "enhanced"])
def test_mri_series_get_their_roles(written: Written, habit: str) -> None:
    """Every series is used as what it is, though vendors say it differently; a Dixon image is never taken for T1."""
    made = written(Kind.MRI, habit)
    headers = read_study(small.paths(made)).headers
    roles = classify(headers).roles
    uids = {series.contents[0]: series.series_uid for series in made}
    assert roles[SeriesRole.ADC] == (uids[Content.ADC_UM2_S],)
    assert roles[SeriesRole.DIFFUSION] == (uids[Content.DWI],)
    assert roles[SeriesRole.T1] == (uids[Content.T1],)
    assert roles[SeriesRole.DIXON_WATER] == (uids[Content.DIXON_WATER],)
    assert roles[SeriesRole.DIXON_FAT] == (uids[Content.DIXON_FAT],)
    by_uid = {series.series_uid: series for series in headers.series}
    assert by_uid[uids[Content.DWI]].b_values == (50.0, 400.0, 900.0)


@pytest.mark.parametrize("tracer", PET_TRACERS)
def test_hybrid_ct_belongs_to_its_pet(tmp_path: Path, tracer: Tracer) -> None:
    """The CT in the same frame of reference is the anatomy of the PET, whichever tracer was given."""
    protocol = PetProtocol(tracer=tracer)
    ct = write_ct(
        tmp_path,
        header=small.HEADER,
        volume=small.volume(Content.HU),
        protocol=CtProtocol(),
        habits=HABITS["plain"],
    )
    pet = write_pet(
        tmp_path,
        header=small.HEADER,
        volume=small.volume(Content.ACTIVITY_BQML),
        protocol=protocol,
        habits=HABITS["plain"],
    )
    found = classify(read_study([*ct.files, *pet.files]).headers)
    assert found.roles == {SeriesRole.EMISSION: (pet.series_uid,), SeriesRole.ANATOMY: (ct.series_uid,)}
