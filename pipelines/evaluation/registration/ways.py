"""The ways of registering that are printed side by side."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from operators.kernels.registration.bones import pieces_of
from operators.kernels.registration.field import DeformationField
from operators.kernels.registration.global_align import CtBone, align
from operators.kernels.registration.levels import CtLevels
from operators.kernels.registration.polyrigid import blend
from operators.kernels.registration.registration import NotRegistered, RegistrationRefusal, register
from operators.kernels.registration.rigid_fit import Fit
from operators.kernels.registration.skeletal_chain import BoneMotion, follow_chain
from operators.kernels.registration.transform import RigidTransform
from operators.kernels.skeleton_sites.sites import SkeletonMap
from pipelines.evaluation.registration.bspline import fit_bspline
from pipelines.evaluation.registration.pair import Scan
from pipelines.evaluation.registration.scores import PointMap
from pipelines.follow_up.registration import profile


class Way(StrEnum):
    """In the order of the table."""

    RIGID = "one rigid motion"
    NO_TREE = "bone by bone without the tree"
    OURS = "ours, the node's own names"
    OURS_TRUE_NAMES = "ours, true names"
    B_SPLINE = "SimpleITK B-spline"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Run:
    """What a way gave: where points go, or why there is nothing; folding, processor time, and memory so far."""

    way: PointMap | None
    refusal: str = ""
    folded: float | None = None
    seconds: float = 0.0
    memory_mb: float | None = None


def run_ways(current: Scan, prior: Scan) -> dict[Way, Run]:
    """Every way on one pair. Ours comes first: the peak of memory is then its own, with both images read."""
    ways: dict[Way, Callable[[], Run]] = {
        Way.OURS: lambda: _ours(current, prior, names=current.names, prior_names=prior.names),
        Way.OURS_TRUE_NAMES: lambda: _ours(current, prior, names=current.true_names, prior_names=prior.true_names),
        Way.RIGID: lambda: _rigid(current, prior),
        Way.NO_TREE: lambda: _without_tree(current, prior),
        Way.B_SPLINE: lambda: _bspline(current, prior),
    }
    found = {}
    for way, work in ways.items():
        began = time.process_time()
        run = work()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0 if way is Way.OURS else None
        found[way] = replace(run, seconds=time.process_time() - began, memory_mb=memory)
    return found


def _fresh(scan: Scan) -> CtBone:
    """With the levels made anew: their time is part of every way's."""
    levels: CtLevels = profile().ct(scan.ct.work, scan.ct.geometry).levels
    return replace(scan.ct, levels=levels)


def _ours(current: Scan, prior: Scan, *, names: SkeletonMap, prior_names: SkeletonMap) -> Run:
    found = register(_fresh(current), _fresh(prior), names=names, prior_names=prior_names, limits=profile().limits)
    if isinstance(found, RegistrationRefusal):
        return Run(way=None, refusal=found.reason.value)
    return Run(way=found.field.apply, folded=_folded(found.field))


def _whole(current: CtBone, prior: CtBone) -> Fit | None:
    return align(current, prior, limits=profile().whole)


def _rigid(current: Scan, prior: Scan) -> Run:
    found = _whole(_fresh(current), _fresh(prior))
    if found is None:
        return Run(way=None, refusal=NotRegistered.NO_BONES_IN_COMMON.value)
    return Run(way=_between(found, current, prior).apply, folded=0.0)


def _between(found: Fit, current: Scan, prior: Scan) -> RigidTransform:
    return RigidTransform.from_matrix(found.motion, from_frame=current.ct.levels.frame, to_frame=prior.ct.levels.frame)


def _without_tree(current: Scan, prior: Scan) -> Run:
    """Each bone alone from the motion of the whole, with the same limits, and blended as ours."""
    one, other = _fresh(current), _fresh(prior)
    start = _whole(one, other)
    if start is None:
        return Run(way=None, refusal=NotRegistered.NO_BONES_IN_COMMON.value)
    pieces = pieces_of(current.names, limits=profile().pieces)
    bones: list[BoneMotion] = []
    for piece in pieces:
        bones += follow_chain(
            [piece], fixed=one.levels, moving=other.levels, start=start.motion, limits=profile().chain
        )
    blended = blend(
        bones, pieces, skeleton=current.names, whole=_between(start, current, prior), limits=profile().blend
    )
    return Run(way=blended.field.apply, folded=blended.negative)


def _bspline(current: Scan, prior: Scan) -> Run:
    one, other = _fresh(current), _fresh(prior)
    start = _whole(one, other)
    if start is None:
        return Run(way=None, refusal=NotRegistered.NO_BONES_IN_COMMON.value)
    field = fit_bspline(one.levels, other.levels, start=start)
    return Run(way=field.apply, folded=_folded(field))


def _folded(field: DeformationField) -> float:
    return float(np.mean(field.jacobian_determinants() <= 0.0))
