"""Archives as they are installed take every kind of result object, by C-STORE and by STOW-RS, and give it back whole.

Orthanc runs with the settings that it comes with, but for ports, folders and its DICOMweb plugin.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender
from bmnode.delivery.stow import StowSender
from bmnode.domain.objects import OutputOptions, ResultKind, SegEncoding
from bmnode.domain.peers import SendBy
from bmnode.domain.study import Branch
from bmnode.results.context import ResultObject
from bmnode.results.write import write_results
from bmnode.testing.archive import EmbeddedArchive
from bmnode.testing.orthanc import CONFIGURATION_FILE, OrthancPeer
from tests.support.ohif import find_dicom_web
from tests.support.stow import stow
from tests.support.viewer_site import DICOM_WEB, DICOM_WEB_PLUGIN
from tests.unit.results import registrations, result_sets, sources
from tests.unit.results.result_sets import CONTEXT

PICTURES = dataclasses.replace(CONTEXT, output=OutputOptions(pictures=True, document=True))
KINDS = ("slices", "deflated", "label_map", "planar", "spect", "branches", "refused")


def slices(folder: Path) -> tuple[ResultObject, ...]:
    """A CT with both kinds of registration, pictures and a document."""
    series = sources.classic_slices(folder / "in", sources.CT, "CT")
    found = (registrations.rigid(series), registrations.deformable(series))
    result_set = dataclasses.replace(result_sets.volumetric(series), registrations=found)
    return write_results(result_set, source_files=series.files, out_dir=folder / "out", context=PICTURES)


def deflated(folder: Path) -> tuple[ResultObject, ...]:
    """The same with its segmentation deflated, as that of a large study is written."""
    series = sources.classic_slices(folder / "in", sources.CT, "CT")
    context = dataclasses.replace(CONTEXT, job_digest="deflated")
    objects = write_results(
        result_sets.volumetric(series), source_files=series.files, out_dir=folder / "out", context=context
    )
    return tuple(deflate(item) if item.kind is ResultKind.SEG else item for item in objects)


def deflate(item: ResultObject) -> ResultObject:
    """The object in Deflated Explicit VR Little Endian, in place."""
    dataset = pydicom.dcmread(item.path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(item.path)
    return dataclasses.replace(
        item,
        sha256=hashlib.sha256(item.path.read_bytes()).hexdigest(),
        transfer_syntax=str(DeflatedExplicitVRLittleEndian),
    )


def label_map(folder: Path) -> tuple[ResultObject, ...]:
    """The same with label maps, RLE Lossless."""
    series = sources.classic_slices(folder / "in", sources.CT, "CT")
    context = CONTEXT.encoded(SegEncoding.LABELMAP)
    return write_results(
        result_sets.volumetric(series), source_files=series.files, out_dir=folder / "out", context=context
    )


def planar(folder: Path) -> tuple[ResultObject, ...]:
    """A bone scan with a segmentation a view, pictures and a document."""
    series = sources.planar_bone_scan(folder / "in")
    result_set = result_sets.planar_segmented(series)
    return write_results(result_set, source_files=series.files, out_dir=folder / "out", context=PICTURES)


def spect(folder: Path) -> tuple[ResultObject, ...]:
    """A reconstructed SPECT."""
    series = sources.spect_recon(folder / "in")
    return write_results(
        result_sets.volumetric(series), source_files=series.files, out_dir=folder / "out", context=CONTEXT
    )


def refused(folder: Path) -> tuple[ResultObject, ...]:
    """A study that is not assessable."""
    series = sources.planar_bone_scan(folder / "in")
    context = dataclasses.replace(CONTEXT, job_digest="refused")
    return write_results(
        result_sets.refused(series), source_files=series.files, out_dir=folder / "out", context=context
    )


BRANCHES: dict[str, Callable[[Path], sources.SourceSeries]] = {
    "pet": lambda folder: sources.classic_slices(folder, sources.PT, "PT", oblique=True),
    "mr": lambda folder: sources.classic_slices(folder, sources.MR, "MR"),
    "enhanced_mr": sources.enhanced_mr,
}


def branches(folder: Path) -> tuple[ResultObject, ...]:
    """The other kinds of slices, each with lesions, without one, and as a superscan."""
    objects: list[ResultObject] = []
    for name, make in BRANCHES.items():
        series = make(folder / name / "in")
        branch = Branch.PET_CT if name == "pet" else Branch.MRI
        for outcome, about in (
            ("positive", result_sets.volumetric),
            ("negative", result_sets.negative_volumetric),
            ("superscan", result_sets.superscan),
        ):
            context = dataclasses.replace(PICTURES, job_digest=f"{name} {outcome}")
            objects += write_results(
                about(series, branch=branch),
                source_files=series.files,
                out_dir=folder / name / outcome,
                context=context,
            )
    return tuple(objects)


MAKERS: dict[str, Callable[[Path], tuple[ResultObject, ...]]] = {
    "slices": slices,
    "deflated": deflated,
    "label_map": label_map,
    "planar": planar,
    "spect": spect,
    "branches": branches,
    "refused": refused,
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[ResultObject, ...]]:
    """Result objects by name, made once."""
    made: dict[str, tuple[ResultObject, ...]] = {}

    def get(name: str) -> tuple[ResultObject, ...]:
        if name not in made:
            made[name] = MAKERS[name](tmp_path_factory.mktemp(name))
        return made[name]

    return get


@pytest.fixture
def orthanc(orthanc_configuration: Path, tmp_path: Path) -> Iterator[OrthancPeer]:
    """Orthanc with its own defaults: beside the plugin its configuration only says the name that is the default."""
    del orthanc_configuration  # it skips where Orthanc is not installed
    find_dicom_web()
    (tmp_path / "configuration").mkdir()
    (tmp_path / "configuration" / CONFIGURATION_FILE).write_text('{"DicomAet": "ORTHANC"}', encoding="utf-8")
    overrides = {"LuaScripts": [], "Plugins": [str(DICOM_WEB_PLUGIN)]}
    with OrthancPeer(tmp_path / "orthanc", configuration=tmp_path / "configuration", overrides=overrides) as running:
        yield running


def test_the_cases_hold_every_kind(written: Callable[[str], tuple[ResultObject, ...]]) -> None:
    """Between them the studies have every kind of object and every way in which one is encoded."""
    objects = [item for name in KINDS for item in written(name)]
    assert {item.kind for item in objects} == set(ResultKind)
    assert str(DeflatedExplicitVRLittleEndian) in {item.transfer_syntax for item in written("deflated")}


@pytest.mark.parametrize("name", [name for name in KINDS if name != "label_map"])
def test_orthanc_takes_all_by_c_store(
    name: str, orthanc: OrthancPeer, written: Callable[[str], tuple[ResultObject, ...]]
) -> None:
    """Each object is answered with success, and what Orthanc gives out again is the object."""
    objects = written(name)
    results = CStoreSender("BMNODE", clock=SystemClock()).send(orthanc.as_peer(), [item.path for item in objects])
    assert [(item.accepted, item.status) for item in results] == [(True, 0)] * len(objects)
    check_kept(orthanc, objects)


def test_orthanc_takes_no_label_map_by_c_store(
    orthanc: OrthancPeer, written: Callable[[str], tuple[ResultObject, ...]]
) -> None:
    """It refuses the presentation context, which is asked for before anything is sent: such a peer gets binary ones."""
    paths = [item.path for item in written("label_map")]
    assert not CStoreSender("BMNODE", clock=SystemClock()).takes(orthanc.as_peer(), paths)


@pytest.mark.parametrize("name", KINDS)
def test_orthanc_takes_all_by_stow(
    name: str, orthanc: OrthancPeer, written: Callable[[str], tuple[ResultObject, ...]]
) -> None:
    """One request stores them all without a failure or a warning, label maps too, byte for byte as they were sent."""
    objects = written(name)
    answer = stow(f"{orthanc.rest_url}{DICOM_WEB}studies", [item.path for item in objects])
    assert answer.status == 200
    assert (set(answer.stored), answer.complaints) == ({item.sop_instance_uid for item in objects}, ())
    for item in objects:
        assert hashlib.sha256(kept(orthanc, item)).hexdigest() == item.sha256


def test_what_is_no_object_is_not_stored_by_stow(orthanc: OrthancPeer, tmp_path: Path) -> None:
    """The archive is really asked: what is no DICOM file gets no success."""
    (tmp_path / "no.dcm").write_bytes(b"no object" * 40)
    answer = stow(f"{orthanc.rest_url}{DICOM_WEB}studies", [tmp_path / "no.dcm"])
    assert answer.stored == ()


@pytest.mark.parametrize("name", KINDS)
def test_the_embedded_archive_takes_all_by_c_store(
    name: str, written: Callable[[str], tuple[ResultObject, ...]], tmp_path: Path
) -> None:
    """Each object is answered with success and kept."""
    objects = written(name)
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as archive:
        results = CStoreSender("BMNODE", clock=SystemClock()).send(archive.as_peer(), [item.path for item in objects])
        assert [(item.accepted, item.status) for item in results] == [(True, 0)] * len(objects)
        held = {item.sop_instance_uid: pydicom.dcmread(item.path) for item in archive.instances()}
    for item in objects:
        assert as_sent(held[item.sop_instance_uid]) == as_sent(pydicom.dcmread(item.path))


@pytest.mark.parametrize("name", KINDS)
def test_the_embedded_archive_takes_all_by_stow(
    name: str, written: Callable[[str], tuple[ResultObject, ...]], tmp_path: Path
) -> None:
    """One request stores them all without a failure or a warning, byte for byte as they were sent."""
    objects = written(name)
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as archive:
        answer = stow(f"{archive.dicomweb_url}/studies", [item.path for item in objects])
        held = {item.sop_instance_uid: item.path.read_bytes() for item in archive.instances()}
    assert answer.status == 200
    assert (set(answer.stored), answer.complaints) == ({item.sop_instance_uid for item in objects}, ())
    assert held == {item.sop_instance_uid: item.path.read_bytes() for item in objects}


def test_the_embedded_archive_stores_what_it_can_by_stow(
    written: Callable[[str], tuple[ResultObject, ...]], tmp_path: Path
) -> None:
    """What is no DICOM file fails alone, with a reason; a request of nothing else stores nothing."""
    (tmp_path / "no.dcm").write_bytes(b"no object" * 40)
    (root, *_) = written("refused")
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as archive:
        url = f"{archive.dicomweb_url}/studies"
        mixed = stow(url, [tmp_path / "no.dcm", root.path])
        nothing = stow(url, [tmp_path / "no.dcm"])
        held = [item.sop_instance_uid for item in archive.instances()]
    assert (mixed.status, mixed.stored, nothing.status, nothing.stored) == (202, (root.sop_instance_uid,), 409, ())
    assert [reason for answer in (mixed, nothing) for _, reason in answer.complaints] == [0xC000, 0xC000]
    assert held == [root.sop_instance_uid]


def test_the_node_stores_in_the_embedded_archive_by_stow(
    written: Callable[[str], tuple[ResultObject, ...]], tmp_path: Path
) -> None:
    """The node's own sender is answered in the way that it asks for."""
    objects = written("slices")
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as archive:
        peer = dataclasses.replace(archive.as_peer(), send_by=(SendBy.STOW_RS,), dicomweb_url=archive.dicomweb_url)
        results = StowSender(environment={}).send(peer, [item.path for item in objects])
        held = {item.sop_instance_uid for item in archive.instances()}
    assert all(item.accepted for item in results)
    assert held == {item.sop_instance_uid for item in objects}


def check_kept(orthanc: OrthancPeer, objects: tuple[ResultObject, ...]) -> None:
    """What Orthanc has is what was written, whatever syntax it came in."""
    for item in objects:
        assert as_sent(pydicom.dcmread(io.BytesIO(kept(orthanc, item)))) == as_sent(pydicom.dcmread(item.path))


def kept(orthanc: OrthancPeer, item: ResultObject) -> bytes:
    """The object as Orthanc gives it out."""
    identifier = orthanc.rest.instances.lookup(item.sop_instance_uid)
    assert identifier is not None
    return bytes(orthanc.rest.instances.get_file(identifier))


def as_sent(dataset: Dataset) -> Dataset:
    """The data set without its file meta information, which each receiver writes itself."""
    return Dataset({element.tag: element for element in dataset})
