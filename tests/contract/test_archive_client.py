"""What the node asks of an archive, embedded or Orthanc alike; one that is slow or gone costs a known time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from bmnode.archive import Answers, ArchiveLimits, FindScu, Level, StudyMover
from bmnode.archive.association import Caller
from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender
from bmnode.domain.ids import derive_uid
from bmnode.domain.peers import Peer
from bmnode.errors import PeerRefusedError, PeerUnreachableError
from bmnode.testing.archive import ArchiveFaults, EmbeddedArchive
from bmnode.testing.orthanc import OrthancPeer
from bmnode.testing.ports import LOOPBACK, free_ports
from tests.support.objects import StudyMaker

NODE = "BMNODE"
CLOCK = SystemClock()
CALLER = Caller(ae_title=NODE, clock=CLOCK)
HASTY = Caller(ae_title=NODE, clock=CLOCK, limits=ArchiveLimits(connect_s=1.0, answer_s=0.5, total_s=1.0))
STUDY_KEYS = ("StudyDate", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "ModalitiesInStudy", "PatientName")


@pytest.fixture(scope="module", params=["embedded", "orthanc"])
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """The archive under test; tests keep apart by their studies' UIDs."""
    directory = tmp_path_factory.mktemp("archive")
    node = Peer(name="node", ae_title=NODE, host=LOOPBACK, port=free_ports(1)[0])
    held: EmbeddedArchive | OrthancPeer
    if request.param == "embedded":
        held = EmbeddedArchive(directory, ae_title="ARCHIVE")
    else:
        configuration = request.getfixturevalue("orthanc_configuration")
        held = OrthancPeer(directory, configuration=configuration, known_peers=[node])
    with held:
        yield held.as_peer()


def _store(archive: Peer, *paths: Path) -> None:
    assert all(result.accepted for result in CStoreSender("MODALITY", clock=CLOCK).send(archive, paths))


def _edit(path: Path, **values: object) -> Path:
    dataset = dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


def _studies(archive: Peer, scu: FindScu, **keys: object) -> Answers:
    return scu.find(archive, Level.STUDY, keys={"StudyInstanceUID": "", **keys}, wanted=STUDY_KEYS)


def test_a_patients_studies_and_series_are_told(archive: Peer, tmp_path: Path) -> None:
    """By Patient ID the study comes with its issuer and modalities, by study its series with their counts."""
    study = StudyMaker(directory=tmp_path, seed=f"told {archive.name}")
    _store(archive, *(_edit(path, IssuerOfPatientID="HOSPITAL") for path in (*study.ct(3), study.nm())))
    scu = FindScu(caller=CALLER)
    (found,) = _studies(archive, scu, PatientID=study.patient_id).matches
    assert (found.StudyInstanceUID, found.IssuerOfPatientID) == (study.study_uid, "HOSPITAL")
    assert set(found.ModalitiesInStudy) == {"CT", "NM"}
    keys = {"StudyInstanceUID": study.study_uid, "SeriesInstanceUID": ""}
    series = scu.find(archive, Level.SERIES, keys=keys, wanted=("Modality", "NumberOfSeriesRelatedInstances"))
    assert {(item.Modality, int(item.NumberOfSeriesRelatedInstances)) for item in series.matches} == {
        ("CT", 3),
        ("NM", 1),
    }


@pytest.mark.parametrize(
    ("charset", "name"),
    [("ISO_IR 100", "Müller^Jörg"), ("ISO_IR 192", "Ångström^Zoë"), (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎")],
)
def test_texts_come_in_the_character_set_that_they_state(
    archive: Peer, tmp_path: Path, charset: str | list[str], name: str
) -> None:
    """A name beyond ASCII reads the same after it went through the archive."""
    study = StudyMaker(directory=tmp_path, seed=f"{charset} {archive.name}")
    _store(archive, _edit(study.sc(), SpecificCharacterSet=charset, PatientName=name))
    (found,) = _studies(archive, FindScu(caller=CALLER), StudyInstanceUID=study.study_uid).matches
    assert str(found.PatientName).split("=")[0] == name.split("=", maxsplit=1)[0]


def test_a_patient_id_beyond_ascii_is_found(archive: Peer, tmp_path: Path) -> None:
    """The query states its own character set where it needs one."""
    study = StudyMaker(directory=tmp_path, seed=f"umlaut {archive.name}")
    patient = f"Ä{study.patient_id}"
    _store(archive, _edit(study.sc(), SpecificCharacterSet="ISO_IR 192", PatientID=patient))
    (found,) = _studies(archive, FindScu(caller=CALLER), PatientID=patient).matches
    assert found.StudyInstanceUID == study.study_uid


def test_more_than_is_taken_is_said(archive: Peer, tmp_path: Path) -> None:
    """A list that was cut never passes for all that there is."""
    makers = [StudyMaker(directory=tmp_path / str(n), seed=f"many {n} {archive.name}") for n in range(3)]
    patient = makers[0].patient_id
    for maker in makers:
        _store(archive, _edit(maker.sc(), PatientID=patient))
    cut = _studies(archive, FindScu(caller=CALLER, most=2), PatientID=patient)
    assert (len(cut.matches), cut.is_complete) == (2, False)
    whole = _studies(archive, FindScu(caller=CALLER, most=3), PatientID=patient)
    assert (len(whole.matches), whole.is_complete) == (3, True)


def test_nothing_is_an_answer(archive: Peer) -> None:
    """An archive that has no such study says so, and that is no error."""
    assert _studies(archive, FindScu(caller=CALLER), StudyInstanceUID=derive_uid("nobody")) == Answers(matches=())


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[EmbeddedArchive]:
    """An archive with three studies of one patient, whose faults the test chooses."""
    with EmbeddedArchive(tmp_path / "faulty", ae_title="FAULTY") as held:
        for number in range(3):
            maker = StudyMaker(directory=tmp_path / str(number), seed=f"faulty {number}")
            _store(held.as_peer(), _edit(maker.sc(), PatientID="P1"))
        yield held


@pytest.mark.parametrize("delay_s", [0.4, 2.0], ids=["each within its limit", "silent"])
def test_a_slow_answer_ends_in_time(faulty: EmbeddedArchive, delay_s: float) -> None:
    """A response that is late, and many that are each just in time, cost the limit and no more."""
    faulty.inject(ArchiveFaults(query_delay_s=delay_s))
    began_s = CLOCK.monotonic_s()
    with pytest.raises(PeerUnreachableError, match="in time"):
        _studies(faulty.as_peer(), FindScu(caller=HASTY), PatientID="P1")
    assert CLOCK.monotonic_s() - began_s < 4 * HASTY.limits.total_s


def test_a_slow_retrieval_ends_in_time(faulty: EmbeddedArchive) -> None:
    """A C-MOVE whose archive says nothing is over at the limit."""
    faulty.add_peer(Peer(name="node", ae_title=NODE, host=LOOPBACK, port=faulty.port))
    faulty.inject(ArchiveFaults(retrieve_delay_s=2.0))
    study_uid = faulty.instances()[0].study_uid
    began_s = CLOCK.monotonic_s()
    with pytest.raises(PeerUnreachableError, match="did not finish"):
        StudyMover(HASTY).move(faulty.as_peer(), study_uid)
    assert CLOCK.monotonic_s() - began_s < 4 * HASTY.limits.total_s


def test_nobody_there_is_unreachable() -> None:
    """A closed port is an error that may pass."""
    (port,) = free_ports(1)
    gone = Peer(name="gone", ae_title="GONE", host=LOOPBACK, port=port)
    with pytest.raises(PeerUnreachableError):
        _studies(gone, FindScu(caller=HASTY), PatientID="P1")


def test_a_refused_question_is_no_empty_answer(archive: Peer) -> None:
    """An archive that cannot work with the request raises; it never reads as "there is none"."""
    with pytest.raises(PeerRefusedError):
        FindScu(caller=CALLER).find(archive, Level.SERIES, keys={"QueryRetrieveLevel": "NONSENSE"})
