"""Instances to views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

from bmnode.domain.study import Reason
from operators.graph.contract import NotAssessableError
from operators.readers.planar import ViewName, read_planar
from tests.unit.scintigraphy.scans import frames_of, set_frames, vary


def test_views_come_from_their_codes(scan: Path) -> None:
    """Each frame takes the view of its detector, with its own frame number and its counts as stored."""
    anterior, posterior = read_planar([scan]).views
    stored = frames_of(dcmread(scan))
    assert (anterior.name, anterior.frame_number) == (ViewName.ANTERIOR, 1)
    assert (posterior.name, posterior.frame_number) == (ViewName.POSTERIOR, 2)
    assert np.array_equal(anterior.counts, stored[0])
    assert np.array_equal(posterior.counts, stored[1])
    assert anterior.stated_by == "view code"
    assert anterior.spacing_mm == (2.4, 2.4)


def test_posterior_first_is_still_posterior(scan: Path, tmp_path: Path) -> None:
    """PL-3: with the posterior frame first, the anterior view is frame 2."""

    def swap(dataset: Dataset) -> None:
        set_frames(dataset, frames_of(dataset)[::-1])
        dataset.DetectorVector = [2, 1]

    anterior, posterior = read_planar([vary(scan, tmp_path / "a.dcm", swap)]).views
    assert (anterior.name, anterior.frame_number) == (ViewName.ANTERIOR, 2)
    assert np.array_equal(anterior.counts, read_planar([scan]).views[0].counts)
    assert posterior.frame_number == 1


def _without_codes(dataset: Dataset) -> None:
    for detector in dataset.DetectorInformationSequence:
        del detector.ViewCodeSequence


def test_view_without_statement_is_not_guessed(scan: Path, tmp_path: Path) -> None:
    """Two frames without view codes stay unstated, whatever the descriptions say of the whole."""

    def change(dataset: Dataset) -> None:
        _without_codes(dataset)
        dataset.SeriesDescription = "ANT"

    views = read_planar([vary(scan, tmp_path / "a.dcm", change)]).views
    assert [view.name for view in views] == [ViewName.UNSTATED, ViewName.UNSTATED]


@pytest.mark.parametrize(
    ("keyword", "value", "name"),
    [
        ("ImageID", "WB_POST", ViewName.POSTERIOR),
        ("SeriesDescription", "Whole Body Anterior", ViewName.ANTERIOR),
        ("ImageComments", "posterior", ViewName.POSTERIOR),
        ("ImageID", "WHOLE BODY_E", ViewName.UNSTATED),
        ("ImageID", "ANT POST", ViewName.UNSTATED),
        ("SeriesDescription", "POST VOID", ViewName.UNSTATED),
        ("SeriesDescription", "PLANTAR", ViewName.UNSTATED),
    ],
)
def test_words_name_the_view_of_a_single_frame(
    scan: Path, tmp_path: Path, keyword: str, value: str, name: ViewName
) -> None:
    """Without a view code, Image ID, series description and comments are read, word by word."""

    def change(dataset: Dataset) -> None:
        _without_codes(dataset)
        set_frames(dataset, frames_of(dataset)[:1])
        dataset.DetectorVector = dataset.EnergyWindowVector = [1]
        dataset.SeriesDescription = "WB"
        setattr(dataset, keyword, value)

    (view,) = read_planar([vary(scan, tmp_path / "a.dcm", change)]).views
    assert view.name is name
    assert view.frame_number is None


def test_two_single_frame_instances_are_two_views(scan: Path, tmp_path: Path) -> None:
    """Vendors that write one instance a view give the same two views."""

    def single(index: int) -> Path:
        def change(dataset: Dataset) -> None:
            set_frames(dataset, frames_of(dataset)[index : index + 1])
            dataset.DetectorInformationSequence = [dataset.DetectorInformationSequence[index]]
            dataset.DetectorVector = dataset.EnergyWindowVector = [1]
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()

        return vary(scan, tmp_path / f"{index}.dcm", change)

    views = read_planar([single(1), single(0)]).views
    assert [view.name for view in views] == [ViewName.ANTERIOR, ViewName.POSTERIOR]
    assert len({view.sop_instance_uid for view in views}) == 2


def test_scatter_window_is_dropped(scan: Path, tmp_path: Path) -> None:
    """Of photopeak and scatter frames only the photopeak's are views."""

    def change(dataset: Dataset) -> None:
        frames = frames_of(dataset)
        set_frames(dataset, np.concatenate([frames // 3, frames]))
        scatter = Dataset()
        scatter.EnergyWindowRangeSequence = [Dataset()]
        scatter.EnergyWindowRangeSequence[0].EnergyWindowLowerLimit = "92"
        scatter.EnergyWindowRangeSequence[0].EnergyWindowUpperLimit = "125"
        dataset.EnergyWindowInformationSequence.insert(0, scatter)
        dataset.EnergyWindowVector = [1, 1, 2, 2]
        dataset.DetectorVector = [1, 2, 1, 2]

    planar = read_planar([vary(scan, tmp_path / "a.dcm", change)])
    assert [view.frame_number for view in planar.views] == [3, 4]
    assert "energy window" in planar.dropped[0]


def test_unknown_windows_are_refused(scan: Path, tmp_path: Path) -> None:
    """Two windows of which none is stated to hold the photopeak are not guessed between."""

    def change(dataset: Dataset) -> None:
        dataset.EnergyWindowVector = [1, 2]
        del dataset.EnergyWindowInformationSequence

    with pytest.raises(NotAssessableError) as caught:
        read_planar([vary(scan, tmp_path / "a.dcm", change)])
    assert caught.value.refusal.reason is Reason.UNREADABLE_INPUT


@pytest.mark.parametrize(
    ("orientation", "position", "head_down"),
    [
        (["L", "F"], "HFS", False),
        (["R", "H"], "HFS", True),
        ("", "FFS", True),
        ("", "HFS", False),
        (["L", "F"], "FFS", False),
    ],
)
def test_orientation_decides_before_position(
    scan: Path, tmp_path: Path, orientation: object, position: str, *, head_down: bool
) -> None:
    """Patient Orientation says which end is up; without it feet-first images are turned."""

    def change(dataset: Dataset) -> None:
        dataset.PatientOrientation = orientation
        dataset.PatientPosition = position

    view = read_planar([vary(scan, tmp_path / "a.dcm", change)]).views[0]
    assert view.is_head_down is head_down
    expected = view.counts[::-1, ::-1] if head_down else view.counts
    assert np.array_equal(view.head_up, expected)


def _drop_pixels(dataset: Dataset) -> None:
    del dataset.PixelData


def _cut_pixels(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[:1000]


def _make_child(dataset: Dataset) -> None:
    dataset.PatientAge = "009Y"


def _make_dynamic(dataset: Dataset) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "DYNAMIC", "EMISSION"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_drop_pixels, Reason.NO_IMAGES),
        (_cut_pixels, Reason.UNREADABLE_INPUT),
        (_make_child, Reason.UNSUPPORTED_EXAMINATION),
        (_make_dynamic, Reason.NO_IMAGES),
    ],
)
def test_unusable_instances_are_refused_with_a_reason(
    scan: Path, tmp_path: Path, change: object, reason: Reason
) -> None:
    """Missing or truncated pixels, children and dynamic images end as a refusal, not as an error."""
    assert callable(change)
    with pytest.raises(NotAssessableError) as caught:
        read_planar([vary(scan, tmp_path / "a.dcm", change)])
    assert caught.value.refusal.reason is reason


def test_uptake_time_and_saturation_are_read(scan: Path, tmp_path: Path) -> None:
    """Hours from injection to acquisition, and the share of pixels at the largest value of their bits."""

    def change(dataset: Dataset) -> None:
        dataset.AcquisitionTime = "120000"
        dataset.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartTime = "083000"
        frames = np.zeros((2, 10, 10))
        frames[:, :5] = 7
        frames[0, 0] = 2 ** int(dataset.BitsStored) - 1
        set_frames(dataset, frames)

    anterior, posterior = read_planar([vary(scan, tmp_path / "a.dcm", change)]).views
    assert anterior.uptake_time_h == pytest.approx(3.5)
    assert anterior.saturated_share == pytest.approx(0.2)
    assert posterior.saturated_share == 0.0
