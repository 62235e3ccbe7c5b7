"""A follow-up sent alone: the node finds the right prior in an archive, has it sent, and compares no other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import UID

from bmnode.delivery.sender import CStoreSender
from bmnode.domain.codes import Concept, Unit
from bmnode.domain.ledger import LedgerEntry, LedgerPatient
from bmnode.domain.peers import Peer
from bmnode.domain.results import BurdenPoint, Measurement, Outcome
from bmnode.domain.states import JobState
from bmnode.errors import ChildCrashedError, PipelineFailedError, RunError
from bmnode.priors.burden import EarlierBurden
from bmnode.priors.handover import PriorRole, SearchOutcome
from bmnode.priors.identity import patient_digest
from bmnode.storage import Jobs, Ledger, PriorSearches, Studies
from bmnode.testing.archive import ArchiveFaults, EmbeddedArchive
from bmnode.testing.orthanc import OrthancPeer
from bmnode.testing.ports import LOOPBACK, free_ports
from bmnode.work.engine import FlowName
from bmnode.work.finding import settle_overdue
from bmnode.work.studying import FETCHED_PRIOR
from tests.integration.hospital import CLOCK, CURRENT, LOOK_ALIKES, LOWER_PART, NODE, PRIOR, Hospital
from tests.support.acceptor import ReceivingNode, receiving_node
from tests.support.viewer_site import dicom_web_settings


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ReceivingNode]:
    """A node's listener."""
    with receiving_node(tmp_path / "node") as node:
        yield node


@pytest.fixture(params=["embedded move", "embedded get", "orthanc move", "orthanc get", "orthanc web"])
def site(request: pytest.FixtureRequest, tmp_path: Path, node: ReceivingNode) -> Iterator[Hospital]:
    """A node and an archive that know each other."""
    kind, _, way = request.param.partition(" ")
    known = [Peer(name="node", ae_title=NODE, host=LOOPBACK, port=node.port if way == "move" else free_ports(1)[0])]
    archive: EmbeddedArchive | OrthancPeer
    if kind == "embedded":
        archive = EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE", known_peers=known)
    else:
        configuration = request.getfixturevalue("orthanc_configuration")
        overrides = None if way != "web" else dicom_web_settings(site_port=free_ports(1)[0])
        archive = OrthancPeer(tmp_path / "archive", configuration=configuration, known_peers=known, overrides=overrides)
    with archive:
        yield Hospital(node=node, archive=archive, folder=tmp_path, way=way)


@pytest.fixture
def small(tmp_path: Path, node: ReceivingNode) -> Iterator[Hospital]:
    """A node and an archive whose faults the test chooses."""
    known = [Peer(name="node", ae_title=NODE, host=LOOPBACK, port=node.port)]
    (port,) = free_ports(1)
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE", port=port, known_peers=known) as archive:
        yield Hospital(node=node, archive=archive, folder=tmp_path)


def test_the_right_prior_of_six_is_moved_and_told(site: Hospital) -> None:
    """Of five look-alikes and the right one, the job is told the right one, with its image and a reason for each; by
    C-MOVE and by C-GET alike."""
    uids = site.archive_holds((*LOOK_ALIKES, PRIOR))
    current = site.send(LOWER_PART)
    site.select(current)
    assert site.job(current).state is JobState.AWAITING_PRIOR
    site.do_next(FlowName.PRIORS)
    site.do_next(FlowName.RUN)
    told = site.told()
    assert told.outcome is SearchOutcome.FOUND
    latest = told.prior(PriorRole.LATEST)
    assert latest is not None
    assert (latest.study_uid, latest.days_before) == (uids["prior"], 122)
    assert [dcmread(path).StudyInstanceUID for path in latest.images] == [uids["prior"]]
    reasons = {item.study_uid: item.objection for item in told.considered}
    assert reasons == {
        uids["other tracer"]: "unsupported_tracer",
        uids["other issuer"]: "other_issuer",
        uids["other part"]: "other_body_part",
        uids["too old"]: "too_old",
        uids["same day"]: "same_day",
        uids["prior"]: None,
    }
    assert site.job(current).state is JobState.SUCCEEDED
    assert set(site.audited("study_queried")) == {"success"}
    assert set(site.audited("prior_fetched")) == {"success"}


def test_the_ledgers_numbers_of_the_prior_are_told(small: Hospital) -> None:
    """What a report on the prior measured is told with it; numbers of the same Patient ID elsewhere are not."""
    uids = small.archive_holds((PRIOR,))
    number = Measurement(concept=Concept.BONE_SCAN_INDEX, value=2.5, unit=Unit.PERCENT, method="BSI_V1")
    with small.node.database.write() as connection:
        for uid in (uids["prior"], "1.2.3"):
            entry = LedgerEntry(
                report_uid=f"{uid}.9",
                study_uid=uid,
                patient=LedgerPatient(digest=patient_digest(PRIOR.patient)),
                studied_on=date(2025, 9, 15),
                branch="bone_scan",
                pipeline="assesses 1",
                outcome=Outcome.ASSESSED,
                measurements=(number,),
            )
            Ledger(connection).put(entry)
    small.select(small.send(CURRENT))
    small.do_next(FlowName.PRIORS)
    small.do_next(FlowName.RUN)
    point = BurdenPoint(studied_on=date(2025, 9, 15), measurements=(number,))
    assert small.told().history == (EarlierBurden(study_uid=uids["prior"], point=point),)


def test_a_fetched_study_starts_no_job_and_one_that_is_sent_does(small: Hospital) -> None:
    """What came because it was fetched is kept for comparing; one more image of it makes it a study as any."""
    uids = small.archive_holds((PRIOR,))
    small.select(small.send(CURRENT))
    small.do_next(FlowName.PRIORS)
    small.select(uids["prior"])
    with small.node.database.read() as connection:
        (revision,) = Studies(connection).revisions(uids["prior"])
        assert list(Jobs(connection).of_study(uids["prior"])) == []
    assert (revision.decision, revision.branch) == (FETCHED_PRIOR, "bone_scan")
    small.node.clock.advance(60)
    later = PRIOR.write(small.folder)[0]
    image = dcmread(later)
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    image.save_as(later)
    own = Peer(name="node", ae_title=NODE, host=LOOPBACK, port=small.node.port)
    assert CStoreSender("SCANNER", clock=CLOCK).send(own, [later])[0].accepted
    small.node.settle()
    small.select(uids["prior"])
    assert small.job(uids["prior"]).state is JobState.AWAITING_PRIOR


@pytest.mark.parametrize("faults", [None, ArchiveFaults(query_delay_s=5.0)], ids=["down", "silent"])
def test_no_answer_costs_the_limit_and_a_late_prior_is_compared(small: Hospital, faults: ArchiveFaults | None) -> None:
    """The job runs without a prior once its limit is over; when the archive answers, the report is made again."""
    assert isinstance(small.archive, EmbeddedArchive)
    uids = small.archive_holds((PRIOR,))
    small.archive.inject(faults or ArchiveFaults())
    if faults is None:
        small.archive.stop()
    current = small.send(CURRENT)
    small.select(current)
    small.do_next(FlowName.PRIORS)
    assert small.job(current).state is JobState.AWAITING_PRIOR
    at = small.node.clock.now()
    assert settle_overdue(small.node.database, engine=small.engine, at=at) == ()
    limit = at + timedelta(seconds=small.wait_s)
    job_id = small.job(current).job_id
    assert settle_overdue(small.node.database, engine=small.engine, at=limit) == (job_id,)
    assert settle_overdue(small.node.database, engine=small.engine, at=limit) == ()
    small.do_next(FlowName.RUN)
    assert (small.told().outcome, small.told().priors) == (SearchOutcome.NOT_KNOWN, ())
    assert small.job(current).state is JobState.SUCCEEDED
    first = small.runner.requests[-1]
    small.archive.inject(ArchiveFaults())
    if faults is None:
        small.archive.start()
    small.do_next(FlowName.PRIORS)
    assert small.job(current).state is JobState.QUEUED
    small.do_next(FlowName.RUN)
    assert [item.study_uid for item in small.told().priors] == [uids["prior"]]
    again = small.runner.requests[-1]
    assert again.job_digest != first.job_digest
    assert len(again.predecessors) == 1
    assert small.asked(FlowName.PRIORS) == []


def test_nothing_comparable_is_told_with_its_reasons(small: Hospital) -> None:
    """Five look-alikes and no prior: the job is told so at once, and none of them is compared."""
    small.archive_holds(LOOK_ALIKES)
    current = small.send(LOWER_PART)
    small.select(current)
    small.do_next(FlowName.PRIORS)
    small.do_next(FlowName.RUN)
    told = small.told()
    assert (told.outcome, told.priors, len(told.considered)) == (SearchOutcome.NONE_COMPARABLE, (), 5)
    assert all(item.objection for item in told.considered)


def test_what_the_node_has_is_not_fetched_again(small: Hospital) -> None:
    """The prior was sent to the node itself: it is compared with its own result, and the archive sends nothing."""
    small.archive_holds((PRIOR,))
    prior = small.send(PRIOR)
    small.select(prior)
    small.do_next(FlowName.PRIORS)
    small.do_next(FlowName.RUN)
    small.select(small.send(CURRENT))
    small.do_next(FlowName.PRIORS)
    small.do_next(FlowName.RUN)
    (told,) = small.told().priors
    assert (told.study_uid, len(told.images), len(told.results)) == (prior, 1, 1)
    assert small.audited("prior_fetched") == []


@pytest.mark.parametrize("loss", [ChildCrashedError("it was killed"), PipelineFailedError("ValueError")])
def test_a_comparison_that_fails_does_not_keep_the_result_back(small: Hospital, loss: RunError) -> None:
    """Two attempts are lost over the comparison, whatever the error is; the last is made without and says so."""
    uids = small.archive_holds((PRIOR,))
    current = small.send(CURRENT)
    small.select(current)
    small.do_next(FlowName.PRIORS)
    small.runner.losses.extend([loss, loss])
    for _ in range(2):
        small.do_next(FlowName.RUN)
        assert [item.study_uid for item in small.told().priors] == [uids["prior"]]
    small.do_next(FlowName.RUN)
    told = small.told()
    assert (told.outcome, told.priors) == (SearchOutcome.SET_ASIDE, ())
    assert [item.study_uid for item in told.considered] == [uids["prior"]]
    assert "failed repeatedly" in told.sentences()[0]
    assert small.job(current).state is JobState.SUCCEEDED


def test_a_prior_that_is_rejected_while_a_job_waits_costs_the_comparison_alone(small: Hospital) -> None:
    """The first attempt is made without what was deleted, and says so."""
    small.archive_holds((PRIOR,))
    prior = small.send(PRIOR)
    small.select(prior)
    small.do_next(FlowName.PRIORS)
    small.do_next(FlowName.RUN)
    current = small.send(CURRENT)
    small.select(current)
    small.do_next(FlowName.PRIORS)
    small.reject(prior)
    small.do_next(FlowName.RUN)
    told = small.told()
    assert (told.outcome, told.priors) == (SearchOutcome.SET_ASIDE, ())
    assert "deleted" in told.sentences()[0]
    assert small.job(current).attempt == 1


def test_a_study_that_was_rejected_is_no_prior(small: Hospital) -> None:
    """What an administrator took out of work is not compared, from wherever it could be had; the reason is told."""
    small.archive_holds((PRIOR,))
    prior = small.send(PRIOR)
    small.select(prior)
    small.do_next(FlowName.PRIORS)
    small.do_next(FlowName.RUN)
    small.reject(prior)
    small.select(small.send(CURRENT))
    small.do_next(FlowName.PRIORS)
    small.do_next(FlowName.RUN)
    told = small.told()
    assert (told.outcome, told.priors) == (SearchOutcome.NONE_COMPARABLE, ())
    assert [item.objection for item in told.considered] == ["rejected"]
    assert small.audited("prior_fetched") == []


def test_a_part_of_a_study_is_never_compared(small: Hospital) -> None:
    """An archive that stops in the middle leaves open whether there is a prior, and the part is not taken later."""
    assert isinstance(small.archive, EmbeddedArchive)
    small.archive_holds((PRIOR,))
    small.archive.inject(ArchiveFaults(retrieve_delay_s=5.0))
    current = small.send(CURRENT)
    small.select(current)
    small.do_next(FlowName.PRIORS)
    assert small.audited("prior_fetched") == ["failure"]
    # A part of it came after all, and was selected as what is here.
    small.select(small.send(PRIOR))
    small.archive.inject(ArchiveFaults(query_delay_s=5.0))
    small.do_next(FlowName.PRIORS)
    job = small.job(current)
    with small.node.database.read() as connection:
        assert PriorSearches(connection).get(job.job_id).outcome == SearchOutcome.NOT_KNOWN
    small.archive.inject(ArchiveFaults())
    small.do_next(FlowName.PRIORS)
    small.do_next(FlowName.RUN)
    assert len(small.told().priors) == 1
