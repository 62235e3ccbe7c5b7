"""Orthanc with the configuration that a site would use: what it routes to bmnode, and what it keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

import bmnode
from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender
from bmnode.testing.archive import ArchiveFaults, EmbeddedArchive
from bmnode.testing.orthanc import OrthancPeer
from tests.support.objects import StudyMaker
from tests.support.polling import eventually

ARRIVES_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Orthanc and, in bmnode's place, an archive that keeps what is routed to it. Tests keep apart by their studies."""

    orthanc: OrthancPeer
    node: EmbeddedArchive
    directory: Path

    def send(self, *paths: Path, ae_title: str = "MODALITY") -> None:
        """C-STORE to Orthanc as this AE title."""
        results = CStoreSender(ae_title, clock=SystemClock()).send(self.orthanc.as_peer(), paths)
        assert all(result.accepted for result in results)

    def settle(self, study: StudyMaker) -> None:
        """Wait until Orthanc has judged what it has of a study.

        The script takes the studies in the order in which they become stable: when one that
        became stable later has arrived, those before it were judged.
        """
        eventually(lambda: bool(self._of(study)["IsStable"]), timeout_s=ARRIVES_S)
        later = StudyMaker(directory=self.directory / study.seed, seed=f"after {study.seed}")
        self.send(later.nm())
        self.wait_for(later, 1)

    def wait_for(self, study: StudyMaker, count: int) -> set[str]:
        """Wait until so many instances of a study reached bmnode's place; their SOP Instance UIDs."""
        self.node.wait_for(
            lambda instances: sum(item.study_uid == study.study_uid for item in instances) == count,
            timeout_s=ARRIVES_S,
        )
        return self.routed(study)

    def routed(self, study: StudyMaker) -> set[str]:
        """SOP Instance UIDs of a study that reached bmnode's place."""
        return {item.sop_instance_uid for item in self.node.instances() if item.study_uid == study.study_uid}

    def sent_counts(self, study: StudyMaker) -> list[int]:
        """How many instances each of Orthanc's finished jobs sent of a study."""
        series = set(self._of(study)["Series"])
        jobs = [job for job in self.orthanc.rest.get_json("jobs?expand") if job["State"] == "Success"]
        return sorted(
            int(job["Content"]["InstancesCount"]) for job in jobs if series & set(job["Content"]["ParentResources"])
        )

    def _of(self, study: StudyMaker) -> dict[str, Any]:
        rest = self.orthanc.rest
        return dict(rest.get_json(f"studies/{rest.studies.lookup(study.study_uid)}"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, orthanc_configuration: Path) -> Iterator[Site]:
    """A site that has just been installed."""
    directory = tmp_path_factory.mktemp("site")
    with EmbeddedArchive(directory / "node", ae_title="BMNODE") as node:
        peers = [node.as_peer("bmnode")]
        with OrthancPeer(directory / "orthanc", configuration=orthanc_configuration, known_peers=peers) as orthanc:
            yield Site(orthanc=orthanc, node=node, directory=directory)


@pytest.fixture
def study(request: pytest.FixtureRequest, tmp_path: Path) -> StudyMaker:
    """A study to route."""
    return StudyMaker(directory=tmp_path / "study", seed=request.node.name)


def _uids(*paths: Path) -> set[str]:
    return {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in paths}


def test_a_new_study_is_routed_and_the_returning_results_are_not(site: Site, study: StudyMaker) -> None:
    """Images go to bmnode once; its SR and SEG, stored into the same study, start nothing."""
    images = [*study.ct(3), study.nm()]
    site.send(*images)
    assert site.wait_for(study, 4) == _uids(*images)
    site.send(study.sr(), study.seg(), ae_title="BMNODE")
    site.settle(study)
    assert site.routed(study) == _uids(*images)
    assert site.sent_counts(study) == [4]


@pytest.mark.parametrize(
    ("manufacturer", "ae_title"), [(bmnode.MANUFACTURER, "MODALITY"), ("test", "BMNODE")], ids=["manufacturer", "aet"]
)
def test_an_image_that_bmnode_made_is_not_routed(
    site: Site, study: StudyMaker, manufacturer: str, ae_title: str
) -> None:
    """An image of bmnode's own is known by its Manufacturer, whoever sent it, and by who sent it, whoever made it."""
    path = study.ct(1)[0]
    image = dcmread(path)
    image.Manufacturer = manufacturer
    image.save_as(path)
    site.send(path, ae_title=ae_title)
    site.settle(study)
    assert site.routed(study) == set()


def test_a_late_series_goes_alone(site: Site, study: StudyMaker) -> None:
    """A series that comes after its study was routed is sent, and those before it are not sent again."""
    site.send(*study.ct(2))
    site.wait_for(study, 2)
    site.send(study.nm())
    site.wait_for(study, 3)
    site.settle(study)
    assert site.sent_counts(study) == [1, 2]


def test_a_study_that_bmnode_refused_is_tried_again(site: Site, study: StudyMaker) -> None:
    """What failed goes with the next study that becomes stable: nothing is forgotten."""
    refused = study.sc("NM")
    site.node.inject(ArchiveFaults(store_status=0xA700))
    site.send(refused)
    eventually(lambda: "was not taken" in site.orthanc.log.read_text(encoding="utf-8"), timeout_s=ARRIVES_S)
    site.node.inject(ArchiveFaults())
    assert site.routed(study) == set()
    site.settle(study)
    assert site.wait_for(study, 1) == _uids(refused)


def test_a_modality_that_bmnode_cannot_assess_stays(site: Site, study: StudyMaker) -> None:
    """Only NM, PT, CT and MR are routed."""
    site.send(study.sc("OT"))
    site.settle(study)
    assert site.routed(study) == set()


def test_the_script_knows_bmnode_by_its_own_names(repository_root: Path) -> None:
    """The routing script, Orthanc's configuration and the program agree on names and numbers."""
    folder = repository_root / "orthanc-config"
    script = (folder / "bmnode-routing.lua").read_text(encoding="utf-8")
    settings = json.loads((folder / "orthanc.json").read_text(encoding="utf-8"))
    (name,) = settings["DicomModalities"]
    assert f"BMNODE = '{name}'" in script
    assert f"BMNODE_AET = '{settings['DicomModalities'][name]['AET']}'" in script
    assert f"BMNODE_MANUFACTURER = '{bmnode.MANUFACTURER}'" in script
    assert f"ROUTED = '{settings['UserMetadata']['bmnode-routed']}'" in script
