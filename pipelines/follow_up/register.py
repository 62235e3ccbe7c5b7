"""The operator `register`: is there an earlier scan, is it this patient's, and how do its bones lie in this one.

Whatever speaks against a comparison ends as sentences in the result of the present scan, which goes out in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bmnode import __version__
from bmnode.domain.earlier import EarlierResult
from bmnode.domain.follow_up_codes import NOT_COMPARED, Compared, FollowUp
from bmnode.domain.geometry import VolumeGeometry
from bmnode.domain.ids import digest
from bmnode.domain.pipelines import PipelineRequest
from bmnode.domain.registration import DisplacementField, RegisteredImage, Registration, RigidMatrix
from bmnode.domain.results import BurdenPoint, Evaluation, Outcome, QualityCheck, ResultSet, Verdict
from bmnode.domain.study import Branch, SeriesRole
from bmnode.errors import InputError, ResultError
from bmnode.priors.handover import PriorInput, PriorRole, PriorStudy, read_prior_input
from bmnode.results.read_back import read_back
from bmnode.selection.classify import classify
from bmnode.selection.headers import read_study
from operators.graph.contract import NotAssessableError, StudyInput
from operators.kernels.registration.registration import Registration as BoneRegistration
from operators.kernels.registration.registration import RegistrationRefusal, register
from operators.kernels.registration.skeletal_chain import BoneState
from pipelines.follow_up.contract import Motion, Pair, Registered
from pipelines.follow_up.drawn import lesions_of
from pipelines.follow_up.planar import planar_motion
from pipelines.follow_up.registration import profile
from pipelines.follow_up.scan import CtScan, bone_of_ct, read_scan
from pipelines.volumetric import MORPHOLOGY, algorithm

AssessAlone = Callable[[StudyInput], ResultSet]
"""A branch from its first step to its last, on one study alone."""
ReadScan = Callable[[StudyInput], CtScan]
"""The CT of a study with its bones. Raises NotAssessableError."""

NOT_MAPPED = {Branch.MRI: "Lesions of MR are not mapped from one scan to the other: totals alone are compared."}


class NotComparedError(Exception):
    """The earlier scan is not compared with; the message is a sentence for the SR."""


def register_prior(
    result: ResultSet, *, study: StudyInput, assess_alone: AssessAlone, read: ReadScan = read_scan
) -> Registered | ResultSet:
    """The pair and its registration; the result itself, with sentences, where nothing is compared.

    Returns the result as it is where nobody looked for an earlier scan.
    """
    if study.request.priors_dir is None or result.outcome is not Outcome.ASSESSED:
        return result
    try:
        told = read_prior_input(study.request.priors_dir)
        prior = told.prior(PriorRole.LATEST)
        if prior is None:
            return replace(result, limitations=(*result.limitations, *told.sentences()))
        result = replace(result, limitations=(*result.limitations, *told.sentences(), *prior.caveats))
        pair = _pair(result, prior, study=study, assess_alone=assess_alone)
        return _registered(replace(pair, history=_history(told, pair)), read=read)
    except NotComparedError as error:
        return refused(result, str(error))
    except NotAssessableError as error:
        return refused(result, error.refusal.explanation)
    except (InputError, ResultError) as error:
        return refused(result, f"What is known of the earlier scan cannot be used: {error}.")


def refused(result: ResultSet, reason: str) -> ResultSet:
    """The result of the present scan alone, which says why there is no comparison."""
    return replace(
        result,
        evaluations=(*result.evaluations, Evaluation(concept=FollowUp.COMPARISON, value=Compared.REFUSED)),
        limitations=(*result.limitations, f"{NOT_COMPARED}{reason}"),
    )


def _pair(result: ResultSet, prior: PriorStudy, *, study: StudyInput, assess_alone: AssessAlone) -> Pair:
    """Both studies with their results. Raises NotComparedError, NotAssessableError, ResultError."""
    reading = read_study(prior.images, study_uid=prior.study_uid)
    classification = classify(reading.headers)
    if classification.refusal is not None:
        raise NotComparedError(f"it is not assessable: {classification.refusal.explanation}")
    if classification.branch is not result.branch:
        raise NotComparedError(f"it is another examination ({classification.branch}, not {result.branch}).")
    request = PipelineRequest(
        study_uid=prior.study_uid, files=prior.images, seed=digest(("earlier scan", prior.study_uid))
    )
    prior_study = StudyInput(
        request=request, headers=reading.headers, classification=classification, files=reading.files
    )
    earlier = read_back(prior.results, images=prior.images) if prior.results else None
    is_anew = earlier is None
    if earlier is None:
        alone = assess_alone(prior_study)
        earlier = EarlierResult(result_set=alone, report_uid="", object_uids=frozenset(), studied_on=prior.performed_on)
    if earlier.result_set.study_uid != prior.study_uid:
        raise NotComparedError("the result objects that came with it are those of another study.")
    if earlier.result_set.refusal is not None:
        raise NotComparedError(f"it could not be assessed: {earlier.result_set.refusal.explanation}")
    return Pair(study=study, result=result, prior=prior, prior_study=prior_study, earlier=earlier, is_anew=is_anew)


def _history(told: PriorInput, pair: Pair) -> tuple[BurdenPoint, ...]:
    """Every earlier study with numbers: of the ledger, and of the results that are at hand; the others are left out."""
    found = {item.study_uid: item.point for item in told.history}
    for prior in told.priors:
        if prior.study_uid == pair.prior.study_uid:
            earlier = pair.earlier
        elif prior.results:
            earlier = read_back(prior.results)
        else:
            continue
        found[prior.study_uid] = BurdenPoint(
            studied_on=prior.performed_on,
            measurements=earlier.result_set.measurements,
            synthetic=earlier.result_set.synthetic,
        )
    return tuple(sorted(found.values(), key=lambda point: point.studied_on))


def _registered(pair: Pair, *, read: ReadScan) -> Registered:
    """Raises NotComparedError where the bones say that the scans are not to be compared at all."""
    branch = pair.result.branch
    if branch in NOT_MAPPED:
        return Registered(pair=pair, why_not=NOT_MAPPED[branch])
    if branch is Branch.BONE_SCAN:
        motion, why_not = planar_motion(pair)
        return Registered(pair=pair, motion=motion, why_not=why_not)
    if not all(study.role(SeriesRole.ANATOMY) for study in (pair.study, pair.prior_study)):
        return Registered(pair=pair, why_not="One of the two scans has no CT by which bones could be brought together.")
    fixed, moving = read(pair.study), read(pair.prior_study)
    found = register(fixed.ct, moving.ct, names=fixed.names, prior_names=moving.names, limits=profile().limits)
    if isinstance(found, RegistrationRefusal):
        raise NotComparedError(f"{found.reason.value}. {found.detail}")
    motion = Motion(
        field=found.field,
        bone_of=bone_of_ct(fixed.names),
        prior=lesions_of(pair.earlier.result_set),
        current=lesions_of(pair.result),
        prior_fields=(moving.ct.geometry, *_grids(pair.earlier.result_set)),
        current_fields=(fixed.ct.geometry, *_grids(pair.result)),
        algorithm=algorithm(found.method, family=MORPHOLOGY, profile=profile().limits),
        check=_check(found),
    )
    return Registered(pair=pair, motion=motion, objects=registration_objects(found, fixed=fixed, moving=moving))


def _grids(result: ResultSet) -> tuple[VolumeGeometry, ...]:
    return tuple(item.geometry for item in result.segmentations)


def _check(found: BoneRegistration) -> QualityCheck:
    """How well the bones fit."""
    states = [bone.state for bone in found.bones]
    shown = len(states) - states.count(BoneState.NOT_IN_BOTH_FIELDS)
    rejected = states.count(BoneState.REJECTED)
    return QualityCheck(
        name="Registration",
        verdict=Verdict.WARN if rejected else Verdict.PASS,
        explanation=f"Of {len(states)} named bones {shown} lie in both fields; {rejected} of them did not fit and move "
        "with their neighbour: lesions in them may be off.",
    )


def registration_objects(found: BoneRegistration, *, fixed: CtScan, moving: CtScan) -> tuple[Registration, ...]:
    """The motion of the whole, then the field of all bones, as DICOM writes them."""
    rigid = RigidMatrix.from_matrix(found.whole.inverse().matrix)
    field = displacement_field(found, frame=fixed.image.frame_of_reference_uid)
    return (
        _object(fixed.image, moving.image, method=found.method, rigid=rigid),
        _object(fixed.image, moving.image, method=found.method, field=field),
    )


def _object(
    fixed: RegisteredImage,
    moving: RegisteredImage,
    *,
    method: str,
    rigid: RigidMatrix | None = None,
    field: DisplacementField | None = None,
) -> Registration:
    return Registration(fixed=fixed, moving=moving, method=method, version=__version__, rigid=rigid, field=field)


def displacement_field(found: BoneRegistration, *, frame: str) -> DisplacementField:
    """x_moving - x_fixed at the nodes of the blended field; between them it is linear, as the field itself is."""
    field = found.field
    a, b, c = field.displacement.shape[:3]
    geometry = VolumeGeometry.from_matrix(field.matrix, shape=(a, b, c), frame_of_reference_uid=frame)
    index = np.indices((a, b, c)).reshape(3, -1).T
    places = index @ field.matrix[:3, :3].T + field.matrix[:3, 3]
    vectors = field.apply(places) - places
    return DisplacementField(geometry=geometry, vectors=vectors.reshape(a, b, c, 3).astype(np.float32))
