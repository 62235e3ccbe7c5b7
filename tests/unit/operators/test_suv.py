"""SUVbw by the decision order of the clinical reference, section 4.1, with the formula cases of 4.2."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bmnode.domain.study import Reason
from operators.graph.contract import NotAssessableError
from operators.kernels import body_size
from operators.kernels.body_size import Body, reference_mass_kg
from operators.kernels.decay import HALF_LIFE_S, decayed, mean_activity_time_s
from operators.kernels.suv import PetSeries, PetSlice, SuvNotComputableError, suv_factor_of_type, suv_scale
from operators.readers.pet import read_suv
from tests.unit.operators.series import geometry_of, pet_attributes, radiopharmaceutical, write_series

F18 = HALF_LIFE_S["F-18"]
SCAN = datetime(2025, 1, 1, 11, tzinfo=UTC)
SLICE = PetSlice(acquired_at=SCAN, duration_s=300.0, frame_reference_s=0.0)
SERIES = PetSeries(
    units="BQML",
    corrected=frozenset({"ATTN", "DECY"}),
    decay_correction="START",
    weight=70.0,
    height=1.75,
    sex="M",
    dose=368.08e6,
    half_life_s=F18,
    radionuclide="F-18",
    injected_at=SCAN - timedelta(hours=1),
    series_at=SCAN,
    slices=(SLICE,),
)


def factor(**changes: object) -> float:
    """The first slice's factor of the reference series with some facts changed."""
    return suv_scale(replace(SERIES, **changes)).factors[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("weight", "height", "masses"),
    [
        (70.0, 1.75, (57.800, 56.520, 51.220, 55.85711, 45.19701, 1.848143, 72.38, 66.43)),
        (75.0, 1.85, (62.777575, 61.462747, 55.925676, 60.915336, 49.214380, 1.9813758, 82.98, 75.53)),
        (120.0, 1.60, (64.500, 60.000, 45.150, 66.19458, 55.02164, 2.177737, 56.48, 52.78)),
    ],
)
def test_body_size_formulas(weight: float, height: float, masses: tuple[float, ...]) -> None:
    """James, James 128, Janmahasatian, DuBois and ideal weight give the reference's table."""
    got = (
        body_size.lean_mass_james(weight, height, male=True),
        body_size.lean_mass_james128(weight, height, male=True),
        body_size.lean_mass_james(weight, height, male=False),
        body_size.lean_mass_janmahasatian(weight, height, male=True),
        body_size.lean_mass_janmahasatian(weight, height, male=False),
        body_size.body_surface_m2(weight, height),
        body_size.ideal_weight(weight, height, male=True),
        body_size.ideal_weight(weight, height, male=False),
    )
    assert got == pytest.approx(masses, rel=1e-6)


def test_factors_of_the_qiba_unit_tests() -> None:
    """100 Bq, no decay, 75 kg, 1.85 m: bw 750 g/Bq; the Philips activity factor multiplies it."""
    now = {"dose": 100.0e6, "weight": 75.0, "height": 1.85, "decay_correction": "ADMIN"}
    assert factor(**now) * 1e6 == pytest.approx(750.0)
    philips = {**now, "units": "CNTS", "weight": 100.0, "philips_activity_factor": 1.602563}
    assert factor(**philips) * 1e6 == pytest.approx(1602.563)
    assert factor(units="CNTS", philips_suv_factor=0.000551) == pytest.approx(0.000551)


@pytest.mark.parametrize(
    ("suv_type", "expected"), [("BSA", 198.13758427), ("LBM", 627.77574872), ("LBMJANMA", 609.15335887)]
)
def test_factors_by_body_size_of_the_qiba_unit_tests(suv_type: str, expected: float) -> None:
    """The same 100 Bq and 75 kg by surface (cm2/Bq) and by lean mass (g/Bq)."""
    series = replace(SERIES, dose=100.0e6, weight=75.0, height=1.85, decay_correction="ADMIN")
    weight_based = suv_scale(series).factors[0] * 1e6
    assert weight_based * suv_factor_of_type(series, suv_type=suv_type) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("minutes_late", "found"), [(30, 4.83), (0, 3.9998)])
def test_back_computing_alone_would_be_wrong(minutes_late: int, found: float) -> None:
    """DRO_3_3 has 4.00 by the manufacturer's scan time; its frame times alone would make 4.83 of it."""
    late = PetSlice(acquired_at=SCAN + timedelta(minutes=minutes_late), duration_s=300.0, frame_reference_s=150.0)
    assert factor(series_at=None, ge_scan_at=SCAN, slices=(late,)) == pytest.approx(factor())
    assert 4.0 * factor(series_at=None, slices=(late,)) / factor() == pytest.approx(
        found, abs=0.005 if minutes_late else 5e-5
    )


def test_the_reference_object_factor() -> None:
    """70 kg, 368.08 MBq, one hour: SUV 1 is 3600 Bq/ml."""
    assert factor() == pytest.approx(2.7777812e-4, rel=1e-6)


def test_sex_other_takes_the_mean_of_both_formulas() -> None:
    """SUV by lean mass of a patient whose sex is O uses the mean mass."""
    mass = reference_mass_kg(Body(weight_kg=70.0, height_m=1.75, sex="O"), suv_type="LBM")
    assert mass == pytest.approx((57.8 + 51.22) / 2)
    assert factor(units="GML", suv_type="LBM", sex="O") == pytest.approx(70.0 / mass)


def test_surface_based_suv_becomes_weight_based() -> None:
    """cm2/ml times weight over body surface."""
    assert factor(units="CM2ML", suv_type="BSA") == pytest.approx(70000.0 / (1.848143 * 1e4), rel=1e-6)


@pytest.mark.parametrize(("seconds", "expected"), [(300.0, 149.60534), (603.0, 299.90559), (180.0, 89.85792)])
def test_time_of_mean_activity(seconds: float, expected: float) -> None:
    """T_ave of the back-computation for F-18."""
    assert mean_activity_time_s(duration_s=seconds, half_life_s=F18) == pytest.approx(expected, abs=1e-5)


def test_decay_reference_prefers_series_time_then_the_manufacturers_then_back_computes() -> None:
    """A series time after the acquisition is no scan start; each next choice gives its own decay."""
    late = {"series_at": SCAN + timedelta(minutes=30)}
    ge = factor(**late, ge_scan_at=SCAN)
    assert ge == pytest.approx(factor())
    second_bed = replace(SLICE, acquired_at=SCAN + timedelta(minutes=5), frame_reference_s=300.0 + 149.60534)
    assert factor(**late, slices=(second_bed,)) == pytest.approx(factor(), rel=1e-4)
    bare = PetSlice(acquired_at=SCAN, duration_s=None, frame_reference_s=None)
    scale = suv_scale(replace(SERIES, series_at=None, slices=(bare,)))
    assert scale.factors[0] == pytest.approx(factor())
    assert any("want of a better" in note for note in scale.notes)


def test_admin_needs_no_decay_and_none_undoes_it_slice_by_slice() -> None:
    """ADMIN divides by the injected dose; NONE corrects each slice to the injection."""
    assert factor(decay_correction="ADMIN") == pytest.approx(70000.0 / 368.08e6)
    later = replace(SLICE, acquired_at=SCAN + timedelta(seconds=F18))
    scale = suv_scale(replace(SERIES, decay_correction="NONE", corrected=frozenset({"ATTN"}), slices=(SLICE, later)))
    assert scale.factors[1] / scale.factors[0] == pytest.approx(2.0)
    assert scale.factors[0] == pytest.approx(factor(), rel=0.02)


def test_an_injection_before_midnight_is_on_the_day_before() -> None:
    """Only the time of day is known: a later clock than the scan's means yesterday."""
    scan = datetime(2025, 1, 2, 0, 30, tzinfo=UTC)
    late_evening = datetime(2025, 1, 2, 23, 30, tzinfo=UTC)
    item = replace(SLICE, acquired_at=scan)
    got = factor(series_at=scan, slices=(item,), injected_at=late_evening, injected_clock=True)
    assert got == pytest.approx(factor())


def test_doses_in_mbq_and_weights_in_grams_are_read_and_said() -> None:
    """Both are corrected, and the notes say so."""
    scale = suv_scale(replace(SERIES, dose=368.08, weight=70000.0))
    assert scale.factors[0] == pytest.approx(factor())
    assert {"The injected dose was read as MBq.", "The weight was read as grams."} <= set(scale.notes)


def test_a_missing_half_life_comes_from_the_radionuclide() -> None:
    """The nuclide's own half-life is used where the header has none."""
    assert factor(half_life_s=None) == pytest.approx(factor())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"corrected": frozenset({"DECY"})}, "attenuation"),
        ({"corrected": frozenset({"ATTN"})}, "decay"),
        ({"series_type": ("STATIC", "REPROJECTION")}, "reprojection"),
        ({"rescale_intercepts": frozenset({-5.0})}, "intercept"),
        ({"weight": None}, "weight"),
        ({"weight": 0.0}, "weight"),
        ({"weight": 0.7}, "weight is not plausible"),
        ({"dose": None}, "dose"),
        ({"dose": 10.0}, "not plausible"),
        ({"dose": 368080.0}, "not plausible"),
        ({"injected_at": None}, "time of injection"),
        ({"injected_at": SCAN + timedelta(minutes=5)}, "after the scan"),
        ({"injected_at": SCAN - timedelta(days=300)}, "half-lives"),
        ({"half_life_s": 4057.0}, "half-life"),
        ({"half_life_s": None, "radionuclide": None}, "half-life"),
        ({"decay_correction": ""}, "Decay Correction"),
        ({"units": "CNTS"}, "counts"),
        ({"units": "CNTS", "philips_suv_factor": -0.0005}, "negative"),
        ({"units": "CPS"}, "units"),
        ({"units": "1CM"}, "units"),
        ({"units": "GML", "suv_type": "LBM", "height": 17.5e3}, "height"),
        ({"units": "PROPCNTS"}, "units"),
        ({"units": ""}, "Units"),
        ({"units": "GML", "suv_type": "LBM", "height": None}, "height"),
        ({"units": "GML", "suv_type": "ODD"}, "not known"),
    ],
)
def test_what_makes_suv_not_computable_is_said(changes: dict[str, object], said: str) -> None:
    """Every missing or contradictory fact refuses the SUV with its own sentence."""
    with pytest.raises(SuvNotComputableError, match=said):
        factor(**changes)


def test_decay_halves_in_one_half_life() -> None:
    """The decay law itself."""
    assert decayed(100.0, elapsed_s=F18, half_life_s=F18) == pytest.approx(50.0)


def test_a_series_is_scaled_to_suv(tmp_path: Path) -> None:
    """From files: 70 kg and 350 MBq an hour before the scan."""
    expected = 70000.0 / (350e6 * 2 ** (-3600.0 / F18))
    array = np.full((4, 6, 6), 1000.0)
    files = write_series(tmp_path, array, geometry_of((4, 6, 6)), modality="PT", attributes=pet_attributes())
    np.testing.assert_allclose(read_suv(files).volume.array, 1000.0 * expected, rtol=1e-6)


def test_slices_that_disagree_on_the_dose_are_refused(tmp_path: Path) -> None:
    """Series-level facts that differ between slices are no basis for SUV."""
    geometry, array = geometry_of((4, 6, 6)), np.full((4, 6, 6), 1000.0)
    files = write_series(tmp_path / "a", array, geometry, modality="PT", attributes=pet_attributes())
    other = pet_attributes(RadiopharmaceuticalInformationSequence=radiopharmaceutical(RadionuclideTotalDose=100e6))
    others = write_series(tmp_path / "a" / "b", array, geometry, modality="PT", attributes=other)
    with pytest.raises(NotAssessableError, match="disagree") as caught:
        read_suv([*files[:3], others[3]])
    assert caught.value.refusal.reason is Reason.MISSING_CALIBRATION


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"CorrectedImage": ["DECY", "SCAT"]}, "CorrectedImage"),
        ({"Units": "GML"}, "Units"),
        ({"PatientWeight": 71.0}, "PatientWeight"),
        ({"SeriesType": ["STATIC", "REPROJECTION"]}, "SeriesType"),
        (
            {"RadiopharmaceuticalInformationSequence": radiopharmaceutical(RadiopharmaceuticalStartTime="101500")},
            "RadiopharmaceuticalStartTime",
        ),
    ],
)
def test_what_must_be_common_to_all_slices_is_named_where_it_is_not(
    tmp_path: Path, attributes: dict[str, object], said: str
) -> None:
    """One slice of four that says otherwise takes the SUV from the series."""
    geometry, array = geometry_of((4, 6, 6)), np.full((4, 6, 6), 1000.0)
    files = write_series(tmp_path / "a", array, geometry, modality="PT", attributes=pet_attributes())
    others = write_series(tmp_path / "a" / "b", array, geometry, modality="PT", attributes=pet_attributes(**attributes))
    with pytest.raises(NotAssessableError, match=said):
        read_suv([*files[:3], others[3]])


def test_two_injections_give_no_suv(tmp_path: Path) -> None:
    """Which of two doses made the image is not known."""
    both = [*radiopharmaceutical(), *radiopharmaceutical(RadionuclideTotalDose=100e6)]
    attributes = pet_attributes(RadiopharmaceuticalInformationSequence=both)
    array = np.full((4, 6, 6), 1000.0)
    files = write_series(tmp_path, array, geometry_of((4, 6, 6)), modality="PT", attributes=attributes)
    with pytest.raises(NotAssessableError, match="more than one injection"):
        read_suv(files)


def test_a_tracer_that_is_made_with_one_nuclide_must_have_its_half_life(tmp_path: Path) -> None:
    """FDG with the half-life of Ga-68 is refused, though no nuclide is coded."""
    drug = radiopharmaceutical(RadionuclideHalfLife=4057.7)
    attributes = pet_attributes(RadiopharmaceuticalInformationSequence=drug)
    array = np.full((4, 6, 6), 1000.0)
    files = write_series(tmp_path, array, geometry_of((4, 6, 6)), modality="PT", attributes=attributes)
    with pytest.raises(NotAssessableError, match="radionuclide F-18"):
        read_suv(files)


@pytest.mark.parametrize(
    ("value", "said"), [(2.5, "applied already"), (5e6, "too high")], ids=["SUV called Bq/ml", "kBq called Bq"]
)
def test_values_that_do_not_fit_the_unit_are_refused(tmp_path: Path, value: float, said: str) -> None:
    """An image of SUV 2.5 under the unit Bq/ml would become a thousandth of it; the opposite thousands."""
    array = np.full((4, 6, 6), value)
    files = write_series(
        tmp_path, array, geometry_of((4, 6, 6)), modality="PT", slopes=value / 1000.0, attributes=pet_attributes()
    )
    with pytest.raises(NotAssessableError, match=said) as caught:
        read_suv(files)
    assert caught.value.refusal.reason is Reason.MISSING_CALIBRATION


def test_an_empty_image_is_not_judged(tmp_path: Path) -> None:
    """Nothing above 0 says nothing of the unit."""
    files = write_series(
        tmp_path, np.zeros((4, 6, 6)), geometry_of((4, 6, 6)), modality="PT", attributes=pet_attributes()
    )
    assert read_suv(files).volume.array.max() == 0.0


def test_the_uptake_time_is_known_whatever_the_units(tmp_path: Path) -> None:
    """SUV that was applied by the scanner, or decay to the injection, still tell how long was waited."""
    assert suv_scale(replace(SERIES, units="GML")).uptake_time_s == 3600.0
    assert suv_scale(replace(SERIES, decay_correction="ADMIN")).uptake_time_s == 3600.0
    assert suv_scale(replace(SERIES, units="GML", injected_at=None)).uptake_time_s is None


def test_one_factor_is_stated_where_it_holds_for_every_slice_in_bq_ml() -> None:
    """Bq/ml decayed to one moment has one; undone slice by slice, or in other units, there is none to state."""
    slices = (SLICE, replace(SLICE, acquired_at=SCAN + timedelta(minutes=5)))
    assert suv_scale(replace(SERIES, slices=slices)).per_bq_ml == pytest.approx(2.7777812e-4, rel=1e-6)
    assert suv_scale(replace(SERIES, slices=slices, decay_correction="NONE")).per_bq_ml is None
    assert suv_scale(replace(SERIES, units="GML")).per_bq_ml is None
    assert suv_scale(replace(SERIES, units="CNTS", philips_activity_factor=2.0)).per_bq_ml is None
