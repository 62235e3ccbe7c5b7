"""What the criteria say of a PET patient as a whole: PSMA volume, PROMISE pattern, PERCIST's measurable lesions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.codes import BonePattern, Concept, Measurable, Unit
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from bmnode.domain.results import Evaluation, Measurement
from pipelines.pet_ct.branch import profile
from pipelines.pet_ct.patient import bone_pattern, percist_count, psma_measurements
from pipelines.volumetric import LesionReport

GEOMETRY = VolumeGeometry.from_matrix(np.eye(4), shape=(4, 4, 4), frame_of_reference_uid="1.2.3")
MASK = CroppedMask.from_array(np.eye(4, dtype=np.bool_)[:, :, None] & np.ones((1, 1, 4), dtype=np.bool_))


def lesion(*, volume_ml: float = 1.0, mean: float = 5.0, measurable: bool = True) -> LesionReport:
    """A candidate with what the totals are made of."""
    rows = (
        (Concept.METABOLIC_VOLUME, volume_ml, Unit.ML),
        (Concept.TOTAL_LESION_GLYCOLYSIS, mean * volume_ml, Unit.GRAM),
    )
    return LesionReport(
        mask=MASK,
        measurements=tuple(Measurement(concept=name, value=value, unit=unit, method="M") for name, value, unit in rows),
        evaluations=(
            Evaluation(concept=Concept.PERCIST_MEASURABLE, value=Measurable.YES if measurable else Measurable.NO),
        ),
    )


@given(
    volumes=st.lists(st.floats(0.1, 500.0), max_size=6),
    scale=st.floats(0.5, 2.0),
)
def test_psma_volume_is_the_sum_and_scales_with_its_parts(volumes: list[float], scale: float) -> None:
    """PSMA-VOL adds volumes, PSMA-TL means times volumes; order does not matter, none gives 0 ml of candidates."""
    lesions = [lesion(volume_ml=value, mean=4.0) for value in volumes]
    volume, total = psma_measurements(lesions, method="PSMA_FIXED3_V1")
    assert volume.value == pytest.approx(sum(volumes))
    assert total.value == pytest.approx(4.0 * sum(volumes))
    turned, _ = psma_measurements(lesions[::-1], method="PSMA_FIXED3_V1")
    assert turned.value == pytest.approx(volume.value)
    larger, _ = psma_measurements([lesion(volume_ml=scale * value) for value in volumes], method="PSMA_FIXED3_V1")
    assert larger.value == pytest.approx(scale * volume.value)


@pytest.mark.parametrize(
    ("count", "value"),
    [
        (None, BonePattern.NOT_EVALUABLE),
        (0, BonePattern.NONE),
        (1, BonePattern.UNIFOCAL),
        (2, BonePattern.OLIGOMETASTATIC),
        (3, BonePattern.OLIGOMETASTATIC),
        (4, BonePattern.DISSEMINATED),
    ],
)
def test_the_pattern_follows_the_number_of_candidates(count: int | None, value: object) -> None:
    """PROMISE: one, two or three, more; without bone it is not evaluable, and what is not known is said."""
    lesions = None if count is None else [lesion()] * count
    (judged,), said = bone_pattern(lesions, skeleton=None, geometry=GEOMETRY, limits=profile().sites.lesion)
    assert (judged.concept, judged.value) == (Concept.BONE_PATTERN, value)
    assert "marrow is diffusely involved is not known" in said[0]
    assert "whole body" in said[1]


def test_measurable_candidates_are_counted_where_the_limit_is_known() -> None:
    """Two of three; without a liver there is no limit, and no count that would read as none."""
    lesions = [lesion(), lesion(measurable=False), lesion()]
    (item,) = percist_count(lesions, limit=3.4)
    assert (item.concept, item.value) == (Concept.PERCIST_COUNT, 2.0)
    assert percist_count(lesions, limit=None) == ()
