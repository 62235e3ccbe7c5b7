"""The signal equations, the timing that uses them, and the tables behind them."""

from __future__ import annotations

import numpy as np
import pytest

from operators.simulation.anatomy.bones import Bone
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.physics.mri_palettes import Echo, palettes
from operators.simulation.physics.mri_properties import Properties
from operators.simulation.physics.mri_signal import (
    diffusion_decay,
    inversion_recovery,
    nulling_inversion_time_ms,
    spin_echo,
)
from operators.simulation.physics.mri_table import FAT_T1_MS, MARROW_FAT, TISSUES
from operators.simulation.physics.mri_timing import at_strength, timing
from operators.simulation.protocols.mri import MrProtocol, Sequence

_REFERENCE = Properties.of({"spread": 0.0}, field_strength_t=1.5)
_NO_SIGNAL = (Matter.AIR, Matter.AIRWAY, Matter.BOWEL_GAS)


def _one(value: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([value])


def test_spin_echo_at_one_relaxation_time_each_is_the_hand_computed_value() -> None:
    """TR = T1 and TE = T2 give (1 - 1/e) / e = 0.2325."""
    signal = spin_echo(_one(800.0), _one(50.0), tr_ms=800.0, te_ms=50.0)
    assert signal[0] == pytest.approx(0.232544, abs=1e-6)


def test_inversion_recovery_is_the_hand_computed_magnitude() -> None:
    """TI = 200, T1 = 1000, TR = 4500, TE = T2: |1 - 2 * 0.818731 + 0.011109| * 0.367879 = 0.230422."""
    signal = inversion_recovery(_one(1000.0), _one(60.0), tr_ms=4500.0, te_ms=60.0, ti_ms=200.0)
    assert signal[0] == pytest.approx(0.230422, abs=1e-6)


def test_nulling_time_of_a_fully_recovered_tissue_is_t1_times_ln_2() -> None:
    """With a long repetition time the textbook's 0.69 T1 comes out, and the signal there is none."""
    null = nulling_inversion_time_ms(300.0, tr_ms=1e6)
    assert null == pytest.approx(300.0 * np.log(2.0))
    assert inversion_recovery(_one(300.0), _one(60.0), tr_ms=1e6, te_ms=60.0, ti_ms=null)[0] < 1e-9


def test_diffusion_decay_of_1000_um2_s_at_b_1000_is_one_over_e() -> None:
    """b is in s/mm2, the coefficient in um2/s."""
    assert diffusion_decay(_one(1000.0), b_value=1000.0)[0] == pytest.approx(np.exp(-1.0))


def test_relaxation_times_pass_through_both_published_field_strengths() -> None:
    """At 1.5 and 3 T the table's own values come out, between them something between."""
    assert at_strength(1000.0, 1250.0, 1.5) == pytest.approx(1000.0)
    assert at_strength(1000.0, 1250.0, 3.0) == pytest.approx(1250.0)
    assert 1000.0 < at_strength(1000.0, 1250.0, 2.0) < 1250.0


@pytest.mark.parametrize("strength", [1.0, 1.5, 3.0])
def test_stir_nulls_fat_at_every_field_strength(strength: float) -> None:
    """Adipose tissue keeps only its water: less than an eighth of muscle's signal."""
    protocol = MrProtocol(field_strength_t=strength)
    properties = Properties.of({"spread": 0.0}, field_strength_t=strength)
    signal = palettes(Echo(sequence=Sequence.STIR), protocol, properties).signal.matter
    assert 0.0 < signal[Matter.FAT] < signal[Matter.MUSCLE] / 8
    inversion = timing(protocol, Sequence.STIR).inversion_ms
    fat_t1 = at_strength(*FAT_T1_MS, strength)
    assert inversion is not None
    nulled = inversion_recovery(_one(fat_t1), _one(100.0), tr_ms=4500.0, te_ms=60.0, ti_ms=inversion)
    assert nulled[0] < 1e-9


def test_no_tissue_has_water_that_recovers_before_fat() -> None:
    """In STIR the water of every tissue is still inverted when fat passes zero, so magnitudes add."""
    for at, fat_t1 in enumerate(FAT_T1_MS):
        assert min(tissue.t1_ms[at] for tissue in TISSUES.values()) > fat_t1


@pytest.mark.parametrize("sequence", [Sequence.T1, Sequence.STIR, Sequence.T2_FS, Sequence.DIXON])
def test_air_and_cortex_give_no_signal(sequence: Sequence) -> None:
    """What has no protons, or protons that decay at once, is black in every sequence."""
    palette = palettes(Echo(sequence=sequence), MrProtocol(), _REFERENCE).signal
    assert [palette.matter[matter] for matter in _NO_SIGNAL] == [0.0, 0.0, 0.0]
    assert not palette.cortex.any()


def test_every_other_matter_and_every_bone_gives_signal() -> None:
    """No tissue was forgotten in the tables."""
    palette = palettes(Echo(sequence=Sequence.T1), MrProtocol(), _REFERENCE).signal
    assert all(palette.matter[matter] > 0 for matter in Matter if matter not in _NO_SIGNAL)
    assert all(palette.spongiosa[bone] > 0 and palette.yellow[bone] > 0 for bone in Bone)
    assert {bone.kind for bone in Bone} == set(MARROW_FAT)


def test_t1_shows_fat_above_marrow_above_muscle_above_csf() -> None:
    """The order that a reader expects of a T1-weighted image."""
    palette = palettes(Echo(sequence=Sequence.T1), MrProtocol(), _REFERENCE).signal
    order = [palette.matter[Matter.FAT], palette.spongiosa[Bone.L4], palette.matter[Matter.MUSCLE]]
    assert order == sorted(order, reverse=True)
    assert palette.matter[Matter.CSF] < 0.6 * palette.matter[Matter.MUSCLE]


def test_field_strength_changes_the_contrast() -> None:
    """3 T is not 1.5 T with another gain: ratios of tissues differ."""
    ratios = []
    for strength in (1.5, 3.0):
        protocol = MrProtocol(field_strength_t=strength)
        properties = Properties.of({"spread": 0.0}, field_strength_t=strength)
        palette = palettes(Echo(sequence=Sequence.STIR), protocol, properties).signal
        ratios.append(palette.matter[Matter.LIVER] / palette.matter[Matter.MUSCLE])
    assert ratios[1] < 0.92 * ratios[0]


def test_sclerosis_takes_signal_from_a_focus_and_metal_all_of_it() -> None:
    """Mineral displaces protons in proportion to its density, with the same diffusion; metal leaves none."""
    look = Appearance(lytic_hu=0.0, sclerotic_hu=1000.0, adc_um2_s=900.0)
    for b_value in (50, 900):
        palette = palettes(Echo(sequence=Sequence.DWI, b_value=b_value), MrProtocol(), _REFERENCE).signal
        ends = palette.focus(look)
        assert ends is not None
        assert ends[1] / ends[0] == pytest.approx(0.65)
    none = palettes(Echo(sequence=Sequence.T1), MrProtocol(), _REFERENCE).signal.focus(Appearance(metal=True))
    assert none == (0.0, 0.0)


def test_a_person_keeps_their_marrow_from_scan_to_scan() -> None:
    """The person's seed decides the fat fraction; the day's seed changes diffusion by a few per cent only."""
    visits = [
        Properties.of({"person_seed": 5, "seed": seed, "spread": 1.0}, field_strength_t=1.5) for seed in (1, 2, 3)
    ]
    other = Properties.of({"person_seed": 6, "seed": 1, "spread": 1.0}, field_strength_t=1.5)
    fat = [visit.spongiosa.fat_fraction[Bone.L4] for visit in visits]
    diffusion = [visit.spongiosa.adc_um2_s[Bone.L4] for visit in visits]
    assert len(set(fat)) == 1
    assert other.spongiosa.fat_fraction[Bone.L4] != fat[0]
    assert 0.0 < np.std(np.log(diffusion)) < 0.15


def test_without_spread_everybody_is_the_table() -> None:
    """Spread 0 gives the reference values whatever the seeds are."""
    one, two = (
        Properties.of({"person_seed": seed, "seed": seed, "spread": 0.0}, field_strength_t=1.5) for seed in (1, 2)
    )
    assert np.array_equal(one.spongiosa.fat_fraction, two.spongiosa.fat_fraction)
    assert one.matter.t1_ms[Matter.SPLEEN] == pytest.approx(1057.0)


def test_fat_grows_down_the_spine_and_to_the_limbs() -> None:
    """Red marrow stays longest in the axial skeleton."""
    fat = _REFERENCE.spongiosa.fat_fraction
    along = [fat[bone] for bone in (Bone.T4, Bone.L2, Bone.L5, Bone.HIP_LEFT, Bone.FEMUR_LEFT, Bone.FOOT_LEFT)]
    assert along == sorted(along)


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"field_strength_t": 7.0}, "field_strength_t"),
        ({"signal_to_noise": 0.0}, "signal_to_noise"),
        ({"distortion_mm": 30.0}, "distortion_mm"),
        ({"b_values": (900,)}, "b_values"),
        ({"b_values": (50, 3000)}, "b_values"),
        ({"sequences": ()}, "sequences"),
    ],
)
def test_impossible_protocols_are_refused_with_key_and_range(wrong: dict[str, object], key: str) -> None:
    """The message names what is wrong and what is allowed."""
    with pytest.raises(ValueError, match=rf"{key} is .*allowed"):
        MrProtocol(**wrong)  # type: ignore[arg-type]  # wrong on purpose
