"""Orthanc's REST interface as bmnode uses it, against a real Orthanc."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from bmnode.clock import SystemClock
from bmnode.delivery.orthanc_rest import RESULTS_LABEL, LabelMethod, OrthancRest
from bmnode.delivery.sender import CStoreSender
from bmnode.domain.peers import Peer
from bmnode.errors import ConfigError, NotFoundError, PeerRefusedError, PeerUnreachableError
from bmnode.testing.orthanc import OrthancPeer
from tests.support.objects import StudyMaker
from tests.support.receiver import LOOPBACK, Receiver

USER, PASSWORD, VARIABLE = "bmnode", "correct horse", "BMNODE_TEST_ORTHANC_PASSWORD"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """The node that Orthanc is told to send to."""
    with Receiver("BMNODE") as running:
        yield running


@pytest.fixture(scope="module")
def orthanc(
    tmp_path_factory: pytest.TempPathFactory, orthanc_configuration: Path, receiver: Receiver
) -> Iterator[OrthancPeer]:
    """An Orthanc that asks for a password and routes nothing by itself within these tests."""
    with OrthancPeer(
        tmp_path_factory.mktemp("orthanc"),
        configuration=orthanc_configuration,
        known_peers=[receiver.peer],
        overrides={"AuthenticationEnabled": True, "RegisteredUsers": {USER: PASSWORD}, "StableAge": 3600},
    ) as running:
        yield running


@pytest.fixture
def rest(orthanc: OrthancPeer) -> OrthancRest:
    """A client with the right password."""
    return OrthancRest(_peer(orthanc), environment={VARIABLE: PASSWORD})


def _peer(orthanc: OrthancPeer) -> Peer:
    plain = orthanc.as_peer()
    return Peer(
        name=plain.name,
        ae_title=plain.ae_title,
        host=plain.host,
        port=plain.port,
        rest_url=plain.rest_url,
        rest_user=USER,
        rest_password_env=VARIABLE,
    )


@pytest.fixture
def study(request: pytest.FixtureRequest, tmp_path: Path, orthanc: OrthancPeer) -> StudyMaker:
    """A study of two slices that Orthanc has."""
    maker = StudyMaker(directory=tmp_path / "study", seed=request.node.nodeid)
    results = CStoreSender("MODALITY", clock=SystemClock()).send(orthanc.as_peer(), maker.ct(2))
    assert all(result.accepted for result in results)
    return maker


def test_health_tells_version_address_and_size(rest: OrthancRest, orthanc: OrthancPeer, study: StudyMaker) -> None:
    """What `peer echo` shows of an Orthanc is what Orthanc says."""
    health = rest.health()
    assert (health.ae_title, health.dicom_port) == (orthanc.ae_title, orthanc.dicom_port)
    assert health.instance_count >= 2
    assert health.disk_bytes > 0
    assert health.has_labels is (tuple(int(part) for part in health.version.split(".")) >= (1, 12))


def test_a_study_is_sent_to_the_node_on_request(rest: OrthancRest, receiver: Receiver, study: StudyMaker) -> None:
    """A study pulled by hand comes by C-STORE from Orthanc, every instance of it."""
    assert rest.send_study(study.study_uid, to_ae_title="BMNODE") == 2
    uids = [str(dcmread(path).SOPInstanceUID) for path in study.directory.glob("ct*.dcm")]
    assert len(receiver.received(*uids)) == 2


def test_a_study_is_not_sent_to_whom_orthanc_does_not_know(rest: OrthancRest, study: StudyMaker) -> None:
    """The error names the AE title that is missing in Orthanc's configuration."""
    with pytest.raises(NotFoundError, match="STRANGER"):
        rest.send_study(study.study_uid, to_ae_title="STRANGER")


def test_a_study_is_downloaded_as_it_is_kept(rest: OrthancRest, study: StudyMaker, tmp_path: Path) -> None:
    """Each instance becomes a file of its own with the elements that were stored."""
    paths = rest.download_study(study.study_uid, tmp_path / "pulled")
    pulled = {path.stem: dcmread(path) for path in paths}
    originals = [dcmread(path) for path in study.directory.glob("ct*.dcm")]
    assert {str(item.SOPInstanceUID): item for item in originals} == pulled


def test_a_study_with_results_is_marked(rest: OrthancRest, orthanc: OrthancPeer, study: StudyMaker) -> None:
    """By label where this Orthanc has labels, by user metadata before; twice is the same as once."""
    expected = LabelMethod.LABEL if rest.health().has_labels else LabelMethod.METADATA
    assert rest.label_study(study.study_uid) is expected
    assert rest.label_study(study.study_uid) is expected
    client = orthanc.rest_as(USER, PASSWORD)
    identifier = client.studies.lookup(study.study_uid)
    if expected is LabelMethod.LABEL:
        assert client.studies.get_labels(identifier) == [RESULTS_LABEL]
    else:
        assert client.studies.get_string_metadata(identifier, "bmnode-results") == "true"


def test_an_unknown_study_is_not_found(rest: OrthancRest, tmp_path: Path) -> None:
    """Every way to a study says that Orthanc does not have it."""
    for ask in (
        lambda: rest.label_study("1.2.3.4"),
        lambda: rest.download_study("1.2.3.4", tmp_path),
        lambda: rest.send_study("1.2.3.4", to_ae_title="BMNODE"),
    ):
        with pytest.raises(NotFoundError, match=r"1\.2\.3\.4"):
            ask()


def test_a_wrong_password_is_refused_and_not_repeated(orthanc: OrthancPeer) -> None:
    """The error says what to check and carries neither the password nor the user's name."""
    rest = OrthancRest(_peer(orthanc), environment={VARIABLE: "wrong secret"})
    with pytest.raises(PeerRefusedError, match="rest_password_env") as raised:
        rest.health()
    assert "wrong secret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_an_orthanc_that_is_down_is_unreachable() -> None:
    """Nothing listens: the error is one that is tried again."""
    peer = Peer(name="down", ae_title="DOWN", host=LOOPBACK, port=4242, rest_url=f"http://{LOOPBACK}:1")
    with pytest.raises(PeerUnreachableError, match="down"):
        OrthancRest(peer).health()


def test_a_peer_without_rest_or_password_is_a_configuration_error() -> None:
    """Both are found before anything is sent, and the message names what to set."""
    plain = Peer(name="pacs", ae_title="PACS", host=LOOPBACK, port=104)
    with pytest.raises(ConfigError, match="rest_url"):
        OrthancRest(plain)
    secured = Peer(
        name="pacs",
        ae_title="PACS",
        host=LOOPBACK,
        port=104,
        rest_url=f"http://{LOOPBACK}:8042",
        rest_user=USER,
        rest_password_env=VARIABLE,
    )
    with pytest.raises(ConfigError, match=VARIABLE):
        OrthancRest(secured, environment={})
