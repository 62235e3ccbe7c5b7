"""What a reader gets is what was put in: values within half a stored step, geometry, side."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from bmnode.domain.study import Reason
from operators.graph.contract import NotAssessableError
from operators.readers.mr_diffusion import MapLimits, read_adc_map, read_b_values
from operators.readers.pet import read_suv
from operators.readers.planar import ViewName, read_planar
from operators.readers.spect import SpectUnit, read_spect
from operators.readers.volume import ImageVolume, read_volume
from operators.simulation.dicom.encoding import beyond_circle
from operators.simulation.dicom.mri import write_mri
from operators.simulation.dicom.pet import write_pet
from operators.simulation.dicom.pet_headers import suv_per_bqml
from operators.simulation.dicom.planar import FrameLayout, write_planar
from operators.simulation.images import Content, Volume
from operators.simulation.protocols.habits import Habits, Vendor
from operators.simulation.protocols.mri import MrProtocol
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.protocols.planar import PlanarProtocol
from tests.unit.simulation.dicom import small
from tests.unit.simulation.dicom.conftest import Written
from tests.unit.simulation.dicom.small import HABITS, Kind

PLAIN = ["plain", "ge", "philips", "siemens", "missing_optional", "feet_first", "enhanced", "enhanced_sparing"]
"""Habits that leave every slice where it belongs."""
MAP_LIMITS = MapLimits(lowest_median_um2_s=150.0, highest_median_um2_s=4000.0)


def assert_same_place(read: ImageVolume, put: Volume) -> None:
    """A reader may sort slices the other way, never elsewhere: the brightest voxel and the corners agree in LPS."""
    there = np.unravel_index(int(np.argmax(read.array)), read.array.shape)
    here = np.unravel_index(int(np.argmax(put.values)), put.values.shape)
    found = read.geometry.position_lps((float(there[0]), float(there[1]), float(there[2])))
    wanted = put.geometry.position_lps((float(here[0]), float(here[1]), float(here[2])))
    assert np.allclose(found, wanted, atol=1e-4)
    assert read.geometry.is_same_grid(put.geometry, tolerance_mm=1e-4)


@pytest.mark.parametrize("habit", PLAIN)
def test_ct_gives_back_hounsfield_units(written: Written, habit: str) -> None:
    """Every voxel of a CT is within half a unit, on the same grid; GE's padding lies outside the circle alone."""
    put = small.volume(Content.HU)
    read = read_volume(written(Kind.CT, habit)[0].files)
    assert_same_place(read, put)
    inside = np.ones(small.SHAPE, dtype=bool)
    if HABITS[habit].vendor is Vendor.GE:
        inside &= ~beyond_circle(small.SHAPE[1:])
        assert (read.array[~inside] == -3024.0).all()
    assert np.abs(read.array - put.values)[inside].max() <= 0.5001


@pytest.mark.parametrize("habit", PLAIN)
@pytest.mark.parametrize("reference", ["start", "admin"])
def test_pet_gives_back_suv(tmp_path: Path, habit: str, reference: str) -> None:
    """SUV by the project's reader is activity times weight over decayed dose, whatever the vendor stores."""
    put = small.volume(Content.ACTIVITY_BQML)
    protocol = PetProtocol(decay_corrected_to=reference, uptake_minutes=61.4, dose_mbq=253.7)
    series = write_pet(tmp_path, header=small.HEADER, volume=put, protocol=protocol, habits=HABITS[habit])
    suv = read_suv(series.files).volume
    factor = suv_per_bqml(small.HEADER, protocol=protocol)
    assert_same_place(suv, put)
    highest = put.values.max(axis=(1, 2)) if HABITS[habit].per_slice_slopes else np.full(14, put.values.max())
    error = np.abs(suv.array / factor - put.values)
    assert (error <= small.half_step(put.values, highest / 32767.0) + 1e-5 * put.values).all()


def test_suv_factor_is_the_definition() -> None:
    """SUV 1 is the activity of the dose spread evenly over the body at the start of the scan."""
    protocol = PetProtocol(dose_mbq=300.0, uptake_minutes=6586.2 / 60.0)
    assert suv_per_bqml(small.HEADER, protocol=protocol) == pytest.approx(small.HEADER.weight_kg * 1000.0 / 150e6)


@pytest.mark.parametrize("vendor", [Vendor.PLAIN, Vendor.GE])
def test_a_late_series_time_is_not_the_decay_reference(tmp_path: Path, vendor: Vendor) -> None:
    """Where Series Time is that of a reconstruction, the scan's start is found elsewhere and SUV stays right."""
    put = small.volume(Content.ACTIVITY_BQML)
    habits = Habits(vendor=vendor, late_series_time=True)
    series = write_pet(tmp_path, header=small.HEADER, volume=put, protocol=PetProtocol(), habits=habits)
    read = read_suv(series.files)
    assert "series time" not in " ".join(read.scale.notes)
    factor = suv_per_bqml(small.HEADER, protocol=PetProtocol())
    assert read.volume.array.max() == pytest.approx(put.values.max() * factor, rel=1e-4)


@pytest.mark.parametrize("habit", ["plain", "feet_first", "missing_optional"])
def test_spect_gives_back_suv(written: Written, habit: str) -> None:
    """A quantitative tomogram becomes SUV on its own grid, also when its slices run from the head."""
    put = small.volume(Content.ACTIVITY_BQML)
    read = read_spect(written(Kind.SPECT, habit)[0].files)
    assert read.unit is SpectUnit.SUV_BW
    assert read.per_bq_ml is not None
    assert_same_place(read.volume, put)
    error = np.abs(read.volume.array / read.per_bq_ml - put.values)
    assert (error <= small.half_step(put.values, [put.values.max() / 32767.0] * 14) + 1e-5 * put.values).all()


def test_spect_counts_stay_counts(written: Written) -> None:
    """Without calibration the reader gets counts, and no SUV."""
    put = small.volume(Content.COUNTS)
    read = read_spect(written(Kind.SPECT_COUNTS, "plain")[0].files)
    assert read.unit is SpectUnit.COUNTS
    assert np.abs(read.volume.array - put.values).max() <= 0.5


@pytest.mark.parametrize("habit", PLAIN)
def test_the_adc_map_is_in_one_of_the_units_met(written: Written, habit: str) -> None:
    """The reader finds the map's unit and gets um2/s back within half a stored step."""
    put = small.volume(Content.ADC_UM2_S)
    made = written(Kind.MRI, habit)
    series = next(item for item in made if item.contents == (Content.ADC_UM2_S,))
    read = read_adc_map(series.files, limits=MAP_LIMITS)
    assert_same_place(read.volume, put)
    assert np.abs(read.volume.array - put.values).max() <= 0.51


@pytest.mark.parametrize("habit", PLAIN)
def test_b_values_keep_their_ratios(written: Written, habit: str) -> None:
    """Volumes come apart by b-value, and their ratio, from which ADC follows, is that of what was put in."""
    made = written(Kind.MRI, habit)
    series = next(item for item in made if item.contents[0] is Content.DWI)
    by_b = read_b_values([series.files])
    assert sorted(by_b) == [50.0, 400.0, 900.0]
    put = {b: small.volume(Content.DWI, b_value=b).values for b in (50, 400, 900)}
    for b, image in by_b.items():
        step = 0.6 * max(put[50].max() / 3600.0, put[int(b)].max() / 4095.0)
        assert np.abs(image.array / series.stored_per_value - put[int(b)]).max() <= step


@pytest.mark.parametrize("plane", small.PLANES)
@pytest.mark.parametrize("turn_deg", [0.0, 17.0])
@pytest.mark.parametrize("habit", ["plain", "feet_first", "enhanced"])
def test_a_bright_voxel_lies_where_it_was_put(tmp_path: Path, plane: str, turn_deg: float, habit: str) -> None:
    """By Image Position and Orientation alone, the bright voxel is in its LPS place: any plane, oblique, feet first."""
    geometry = small.grid(plane, turn_deg=turn_deg)
    put = small.volume(Content.T1, geometry=geometry)
    series = write_mri(tmp_path, header=small.HEADER, volumes=[put], protocol=MrProtocol(), habits=HABITS[habit])[0]
    read = read_volume(series.files)
    index = np.unravel_index(int(np.argmax(read.array)), read.array.shape)
    found = read.geometry.position_lps((float(index[0]), float(index[1]), float(index[2])))
    assert np.allclose(found, geometry.position_lps(small.BRIGHT), atol=1e-4)


def test_feet_first_slices_come_from_the_head(written: Written) -> None:
    """Feet first, instance 1 is the highest slice and Patient Position says FFS; head first it is the lowest."""
    for habit, order in (("feet_first", -1.0), ("plain", 1.0)):
        files = written(Kind.CT, habit)[0].files
        datasets = [dcmread(path, stop_before_pixels=True) for path in files]
        heights = np.array([float(dataset.ImagePositionPatient[2]) for dataset in datasets])
        assert (np.diff(heights) * order > 0).all()
        assert datasets[0].PatientPosition == ("FFS" if order < 0 else "HFS")


@pytest.mark.parametrize("habits", [Habits(), Habits(posterior_first=True), Habits(single_views=True)])
@pytest.mark.parametrize("feet_first", [False, True])
def test_planar_views_keep_the_side(tmp_path: Path, habits: Habits, feet_first: bool) -> None:
    """A hot spot on the patient's left is right of the middle in ANT and left of it in POST, head up."""
    layout = Habits(posterior_first=habits.posterior_first, single_views=habits.single_views, feet_first=feet_first)
    series = write_planar(
        tmp_path, header=small.HEADER, scan=small.scan(scatter=True), protocol=PlanarProtocol(scatter_window=True),
        habits=layout,
    )  # fmt: skip
    study = read_planar(series.files)
    assert {view.name for view in study.views} == {ViewName.ANTERIOR, ViewName.POSTERIOR}
    assert len(study.dropped) == 2
    for view in study.views:
        row, column = np.unravel_index(int(np.argmax(view.head_up)), view.head_up.shape)
        assert row == 6
        assert (column > small.COLUMNS / 2) == (view.name is ViewName.ANTERIOR)
        assert view.uptake_time_h == pytest.approx(3.0)


def test_planar_counts_are_exact(tmp_path: Path) -> None:
    """Counts are stored as they are, and Counts Accumulated is their sum."""
    put = small.scan()
    series = write_planar(tmp_path, header=small.HEADER, scan=put, protocol=PlanarProtocol(), habits=Habits())
    dataset = dcmread(series.files[0])
    assert np.array_equal(dataset.pixel_array, put.photopeak)
    assert dataset.CountsAccumulated == int(put.photopeak.sum())


def test_without_view_codes_single_views_are_named_by_their_image_id(tmp_path: Path) -> None:
    """The reader finds the view in the Image ID; two frames in one object stay unnamed."""
    for habits, names in (
        (Habits(single_views=True, missing_view_codes=True), {ViewName.ANTERIOR, ViewName.POSTERIOR}),
        (Habits(missing_view_codes=True), {ViewName.UNSTATED}),
    ):
        series = write_planar(
            tmp_path, header=small.HEADER, scan=small.scan(), protocol=PlanarProtocol(), habits=habits
        )
        assert {view.name for view in read_planar(series.files).views} == names


def test_the_way_to_a_pixel_follows_the_turned_image() -> None:
    """`stored_pixels` leads to the same counts in the stored image as `to_pixel` does in the scan."""
    put = small.scan()
    layout = FrameLayout.of(Habits(feet_first=True))
    stored = layout.image(put.photopeak)
    for view in range(2):
        to_stored = layout.stored_pixels(put.to_pixel[view], shape=stored.shape[1:])
        row, column = to_stored @ np.array([*small.HOT_LPS, 1.0])
        assert stored[view, round(float(row)), round(float(column))] == 200.0


def test_stations_are_series_of_their_own(tmp_path: Path) -> None:
    """Two stations of one sequence are two series with one gain; both lie where they were put."""
    low = small.volume(Content.STIR, geometry=small.grid("coronal"), station=1)
    high = small.volume(Content.STIR, geometry=small.grid("coronal", turn_deg=3.0), station=2)
    series = write_mri(tmp_path, header=small.HEADER, volumes=[low, high], protocol=MrProtocol(), habits=Habits())
    assert [item.volumes for item in series] == [(0,), (1,)]
    assert series[0].series_uid != series[1].series_uid
    assert series[0].stored_per_value == series[1].stored_per_value
    for item, put in zip(series, (low, high), strict=True):
        assert_same_place(read_volume(item.files), put)


def test_missing_slices_are_noticed(tmp_path: Path) -> None:
    """A gap in the stack is told to the user as such, not measured over."""
    files = small.write(tmp_path, Kind.CT, habits=Habits(missing_slices=1))[0].files
    assert len(files) == small.SHAPE[0] - 1
    with pytest.raises(NotAssessableError) as caught:
        read_volume(files)
    assert caught.value.refusal.reason is Reason.IRREGULAR_GEOMETRY
    assert "1 slices are missing" in str(caught.value)


def test_a_duplicated_slice_is_a_second_instance_at_the_same_place(tmp_path: Path) -> None:
    """The same image comes again under another SOP Instance UID at the same position."""
    files = small.write(tmp_path, Kind.CT, habits=Habits(duplicate_slices=3))[0].files
    datasets = [dcmread(path) for path in files]
    places = [tuple(float(value) for value in dataset.ImagePositionPatient) for dataset in datasets]
    assert len(files) == small.SHAPE[0] + 3
    assert len({str(dataset.SOPInstanceUID) for dataset in datasets}) == len(files)
    assert len(set(places)) == small.SHAPE[0]
    for one, two in itertools.pairwise(datasets):
        if one.ImagePositionPatient == two.ImagePositionPatient:
            assert one.PixelData == two.PixelData


def test_a_resent_instance_changes_nothing(tmp_path: Path) -> None:
    """Files that come twice are copies, and a reader gets the same volume as without them."""
    once = read_volume(small.write(tmp_path / "once", Kind.CT, habits=Habits())[0].files)
    twice = small.write(tmp_path / "twice", Kind.CT, habits=Habits(resent_instances=4))[0].files
    assert len(twice) == small.SHAPE[0] + 4
    assert np.array_equal(read_volume(twice).array, once.array)
