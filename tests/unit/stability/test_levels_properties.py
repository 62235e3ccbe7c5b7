"""What the scores' places must not depend on, and that knowing more never widens an interval."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.bones import VERTEBRAE, Bone
from bmnode.domain.codes import Code, LesionType, Site
from operators.kernels.stability.levels import levels_of, mirels_sites
from operators.kernels.stability.sins import Level, Posterolateral
from pipelines.ct.stability import mirels_interval, sins_interval

KINDS = st.sampled_from([LesionType.LYTIC, LesionType.SCLEROTIC, LesionType.MIXED, LesionType.INDETERMINATE])
KNOWN = st.sampled_from([LesionType.LYTIC, LesionType.SCLEROTIC, LesionType.MIXED])
POSTERIOR = st.none() | st.sampled_from(Posterolateral)
LONG_BONES = st.sampled_from([Bone.HUMERUS, Bone.FEMUR, Bone.TIBIA, Bone.FIBULA, Bone.RADIUS, Bone.ULNA])


@given(bone=st.sampled_from(Bone))
def test_a_part_holds_the_levels_of_its_bones(bone: Bone) -> None:
    """A vertebra is one of its part's levels, and each part's levels are the spine's."""
    levels = set(levels_of(bone.code))
    assert levels <= set(levels_of(bone.part)) | set(levels_of(bone.code) if bone is Bone.SACRUM else ())
    assert set(levels_of(bone.part)) <= set(levels_of(Site.SPINE))
    assert bool(levels) is (bone in VERTEBRAE or bone is Bone.SACRUM)


@given(bone=st.sampled_from(VERTEBRAE), kind=KINDS, beside=POSTERIOR)
def test_a_better_known_site_never_widens_sins(bone: Bone, kind: Code, beside: Posterolateral | None) -> None:
    """The interval of a vertebra lies in that of its part, that in the spine's, and that in an unknown site's."""
    intervals = [
        sins_interval(kind, posterolateral=beside, levels=levels_of(site))
        for site in (bone.code, bone.part, Site.SPINE, None)
    ]
    for inner, outer in pairwise(intervals):
        assert outer.low <= inner.low <= inner.high <= outer.high


@given(levels=st.lists(st.sampled_from(levels_of(Site.SPINE)), min_size=1, max_size=6), kind=KINDS, data=st.data())
def test_the_order_of_levels_is_irrelevant(levels: list[Level], kind: Code, data: st.DataObject) -> None:
    """A lesion that may lie in L1 or T12 may lie in T12 or L1."""
    shuffled = data.draw(st.permutations(levels))
    plain, other = (sins_interval(kind, posterolateral=None, levels=some) for some in (levels, shuffled))
    assert (plain.low, plain.high) == (other.low, other.high)


@given(bone=LONG_BONES, kind=KINDS, known=KNOWN, share=st.floats(0.0, 1.5), more=st.floats(0.0, 1.0))
def test_mirels_rises_with_size_and_narrows_with_knowledge(
    bone: Bone, kind: Code, known: Code, share: float, more: float
) -> None:
    """A larger share of the shaft never scores lower; a share that is known lies in the interval without it."""
    sites = mirels_sites(bone.code)
    smaller, larger, unknown = (
        mirels_interval(kind, sites=sites, shaft_fraction=value) for value in (share, share + more, None)
    )
    assert smaller.low <= larger.low
    assert smaller.high <= larger.high
    assert unknown.low <= smaller.low
    assert larger.high <= unknown.high
    untyped = mirels_interval(LesionType.INDETERMINATE, sites=sites, shaft_fraction=share)
    typed = mirels_interval(known, sites=sites, shaft_fraction=share)
    assert untyped.low <= typed.low <= typed.high <= untyped.high
