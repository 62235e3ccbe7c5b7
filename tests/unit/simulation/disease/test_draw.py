"""Who gets which metastases."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from operators.simulation.disease import tables
from operators.simulation.disease.draw import draw_disease, site_weights
from operators.simulation.disease.facts import facts_of
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.look import Host
from operators.simulation.disease.tables import Burden, Site, site_of
from operators.simulation.patient import Lesion, LesionType, Primary
from operators.simulation.tracer import Tracer


def _many(ground: Ground, primary: Primary, burden: Burden, patients: int) -> list[Lesion]:
    return [
        lesion for seed in range(patients) for lesion in draw_disease(ground, primary=primary, burden=burden, seed=seed)
    ]


@pytest.mark.parametrize("burden", list(Burden))
def test_the_burden_says_how_many(ground: Ground, burden: Burden) -> None:
    """Counts stay within the burden's range, and a superscan has most of the trunk on top."""
    low, high = tables.COUNTS[burden]
    for seed in range(3):
        lesions = draw_disease(ground, primary=Primary.PROSTATE, burden=burden, seed=seed)
        count = len(lesions)
        if burden is Burden.SUPERSCAN:
            trunk = [bone for bone in ground.skeleton.bones if site_of(bone) is not Site.DISTAL]
            assert len({lesion.bone for lesion in lesions}) > 0.8 * len(trunk)
            assert count > len(trunk) * 0.8 + low
        else:
            assert low <= count <= high


@pytest.mark.parametrize("primary", list(Primary))
def test_lesions_sit_where_the_table_says(ground: Ground, primary: Primary) -> None:
    """Over many patients the share of each group of bones is the table's within four standard errors."""
    lesions = _many(ground, primary, Burden.DISSEMINATED, 6)
    counts = Counter(site_of(lesion.bone) for lesion in lesions)
    for site, weight in site_weights(primary, Burden.DISSEMINATED).items():
        error = np.sqrt(weight * (1 - weight) / len(lesions))
        assert abs(counts[site] / len(lesions) - weight) < 4 * error + 0.005, site


def test_the_published_few() -> None:
    """With few lesions thoracic and lumbar spine and pelvis hold 81.0 % in prostate and 41.7 % in breast cancer."""
    group = (Site.THORACIC, Site.LUMBAR, Site.PELVIS, Site.SACRUM)
    for primary, percent in ((Primary.PROSTATE, 81.0), (Primary.BREAST, 41.7)):
        weights = site_weights(primary, Burden.OLIGO)
        assert 100.0 * sum(weights[site] for site in group) == pytest.approx(percent, abs=0.5)


def test_types_follow_the_primary() -> None:
    """Prostate's lesions are mostly sclerotic, those of kidney and thyroid mostly lytic, breast has all three."""
    shares = {}
    for primary in Primary:
        random = np.random.default_rng(1)
        hosts = [Host.drawn(primary, random) for _ in range(100)]
        kinds = Counter(host.draw_type(random) for host in hosts for _ in range(10))
        shares[primary] = {kind: kinds[kind] / 1000 for kind in LesionType}
    assert shares[Primary.PROSTATE][LesionType.SCLEROTIC] > 0.6
    assert shares[Primary.KIDNEY][LesionType.LYTIC] > 0.7
    assert shares[Primary.THYROID][LesionType.LYTIC] > 0.7
    assert min(shares[Primary.BREAST].values()) > 0.1


def test_the_same_seed_is_the_same_disease(ground: Ground) -> None:
    """Equal arguments give equal lesions, another seed gives others."""
    one, same, other = (
        draw_disease(ground, primary=Primary.LUNG, burden=Burden.MULTIPLE, seed=seed) for seed in (5, 5, 6)
    )
    assert one == same
    assert one != other


def test_every_lesion_is_there(ground: Ground) -> None:
    """No drawn lesion is smaller than a ball of 4 mm in its bone, and sizes spread over an order of magnitude."""
    facts = facts_of(_many(ground, Primary.LUNG, Burden.MULTIPLE, 4), ground)
    volumes = np.array([fact.volume_ml for fact in facts])
    assert volumes.min() > np.pi / 6 * 4.0**3 / 1000.0
    assert volumes.max() / volumes.min() > 10.0


def test_a_drawn_size_is_reached_in_bone(ground: Ground) -> None:
    """The median ratio of volume in bone and the volume drawn is 1 within a tenth for lesions without flesh."""
    lesions = [lesion for lesion in _many(ground, Primary.BREAST, Burden.MULTIPLE, 4) if lesion.soft_tissue_mm == 0]
    alone = [lesion for lesion in lesions if len(lesion.shapes) == 1]
    facts = facts_of(alone, ground)
    median, _ = tables.DIAMETER_MM[Burden.MULTIPLE]
    diameters = np.array([np.cbrt(6000.0 * fact.volume_ml / np.pi) for fact in facts])
    assert np.median(diameters) == pytest.approx(median, rel=0.25)


def test_looks_hang_together(ground: Ground) -> None:
    """Sclerotic lesions are hotter for MDP than for FDG, lytic ones of kidney cancer colder than a normal vertebra;
    density has the published mean; diffusion is that of viable tumour; NaF goes with MDP."""
    prostate = _many(ground, Primary.PROSTATE, Burden.MULTIPLE, 12)
    dense = [one.appearance for one in prostate if one.lesion_type is LesionType.SCLEROTIC]
    assert np.median([look.suv[Tracer.MDP] / look.suv[Tracer.FDG] for look in dense]) > 4.0
    means = [look.lytic_hu + 0.82 * (look.sclerotic_hu - look.lytic_hu) for look in dense]
    assert np.mean(means) == pytest.approx(654.0, abs=60.0)
    assert np.std(means) == pytest.approx(176.0, rel=0.3)
    assert all(700.0 <= one.appearance.adc_um2_s <= 1400.0 for one in prostate)
    both = np.log([[look.suv[Tracer.MDP], look.suv[Tracer.NAF]] for look in dense])
    assert np.corrcoef(both.T)[0, 1] > 0.85
    kidney = [one.appearance for one in _many(ground, Primary.KIDNEY, Burden.MULTIPLE, 8) if one.sclerotic_share == 0]
    assert np.median([look.lytic_suv[Tracer.MDP] for look in kidney]) < 3.92
    assert np.median([look.lytic_suv[Tracer.FDG] for look in kidney]) > 2.5
