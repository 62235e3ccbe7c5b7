"""What a report is evidence of, beside highdicom's own account of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pydicom
import pytest
from highdicom.sr.utils import collect_evidence
from pydicom.dataset import Dataset

from bmnode.domain.objects import ResultKind
from bmnode.errors import ResultError
from bmnode.results.evidence import Evidence, evidence_of
from bmnode.results.walk import items, references, share_repeated, uid_values
from bmnode.results.write import write_results
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT


def written(folder: Path) -> tuple[Dataset, list[Dataset]]:
    """A root report, and what it is evidence of."""
    series = sources.classic_slices(folder / "in", sources.CT, "CT")
    objects = write_results(
        result_sets.volumetric(series), source_files=series.files, out_dir=folder / "out", context=CONTEXT
    )
    others = [pydicom.dcmread(item.path) for item in objects if item.kind is not ResultKind.SR]
    seg = [item for item in others if item.Modality == "SEG"]
    images = [pydicom.dcmread(path) for path in series.files]
    return pydicom.dcmread(objects[0].path), [*images, *seg, *(item for item in others if item not in seg)]


def test_highdicom_collects_the_same_evidence(tmp_path: Path) -> None:
    """The same instances stand in the same series in the same order, an instance that is named twice once."""
    report, evidence = written(tmp_path)
    theirs, elsewhere = collect_evidence([*evidence, evidence[0]], report, study_instance_uid=report.StudyInstanceUID)
    named = [Evidence.from_dataset(item) for item in (*evidence, evidence[0])]
    ours = evidence_of(report, named, study_uid=report.StudyInstanceUID)
    assert ([ours], elsewhere) == (theirs, [])


def test_a_report_names_nothing_that_is_no_evidence(tmp_path: Path) -> None:
    """A content item that refers to an instance beside the evidence is an error, not a report with a loose end."""
    report, evidence = written(tmp_path)
    content = Dataset()
    content.ContentSequence = report.ContentSequence
    (seg,) = (item for item in evidence if item.Modality == "SEG")
    rest = [Evidence.from_dataset(item) for item in evidence if item is not seg]
    with pytest.raises(ResultError, match=str(seg.SOPInstanceUID)):
        evidence_of(content, rest, study_uid=report.StudyInstanceUID)


@pytest.mark.parametrize("missing", ["sop_class_uid", "sop_instance_uid", "series_uid"])
def test_evidence_names_all_three(missing: str) -> None:
    """Evidence without its class, instance or series is refused where it is made."""
    whole = Evidence(sop_class_uid="1.2", sop_instance_uid="1.3", series_uid="1.4")
    with pytest.raises(ValueError, match="names its class"):
        dataclasses.replace(whole, **{missing: ""})


def test_the_walk_finds_uids_at_every_depth(tmp_path: Path) -> None:
    """As read from a file and as put together in memory, one value or several, in items of items."""
    innermost, inner, outer = Dataset(), Dataset(), Dataset()
    innermost.ReferencedSOPClassUID, innermost.ReferencedSOPInstanceUID = "1.2.3", "1.2.4"
    innermost.FailedSOPInstanceUIDList = ["1.2.5", "1.2.6"]
    inner.ReferencedSOPSequence = [innermost]
    outer.SOPInstanceUID, outer.SOPClassUID, outer.ReferencedSeriesSequence = "1.2.7", "1.2.8", [inner]
    outer.StudyInstanceUID = ""
    path = tmp_path / "nested.dcm"
    pydicom.dcmwrite(path, outer, implicit_vr=False, little_endian=True, force_encoding=True)
    expected = ["1.2.3", "1.2.4", "1.2.5", "1.2.6", "1.2.7", "1.2.8"]
    for dataset in (outer, pydicom.dcmread(path, force=True)):
        assert sorted(uid_values(dataset)) == expected
        assert list(references(dataset)) == [("1.2.4", "1.2.3")]


def test_what_frames_have_in_common_is_read_once(tmp_path: Path) -> None:
    """Sequences that are the same byte for byte become one object, others stay apart, and nothing is said otherwise."""
    series = sources.classic_slices(tmp_path / "in", sources.CT, "CT")
    objects = write_results(
        result_sets.volumetric(series), source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT
    )
    (path,) = (item.path for item in objects if item.kind is ResultKind.SEG)
    plain, shared = pydicom.dcmread(path), pydicom.dcmread(path)
    frames = shared.PerFrameFunctionalGroupsSequence
    share_repeated(frames)
    sources_of = [
        str(frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID) for frame in frames
    ]
    assert len(set(sources_of)) < len(sources_of)
    assert len({id(frame.DerivationImageSequence[0]) for frame in frames}) == len(set(sources_of))
    assert len(list(items(shared))) < len(list(items(plain)))
    assert set(uid_values(shared)) == set(uid_values(plain))
    assert set(references(shared)) == set(references(plain))
    assert shared == plain
