"""Headers to a branch or a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from bmnode.domain.study import (
    Branch,
    EnergyWindow,
    Plane,
    Reason,
    SeriesHeader,
    SeriesRole,
    StudyHeaders,
)
from bmnode.selection.classify import classify

NM_CLASS = "1.2.840.10008.5.1.4.1.1.20"
SC_CLASS = "1.2.840.10008.5.1.4.1.1.7"
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
PHOTOPEAK = EnergyWindow(lower_kev=126.5, upper_kev=154.6)
IODINE = EnergyWindow(lower_kev=143.0, upper_kev=175.0)


def series(uid: str = "1", **values: Any) -> SeriesHeader:
    """A series with one frame and nothing else said."""
    defaults: dict[str, Any] = {
        "series_uid": uid,
        "modality": "OT",
        "sop_class_uid": CT_CLASS,
        "instance_count": 1,
        "frame_count": 1,
    }
    return SeriesHeader(**{**defaults, **values})


def planar(uid: str = "1", **values: Any) -> SeriesHeader:
    """A whole-body MDP scan."""
    defaults: dict[str, Any] = {
        "modality": "NM",
        "sop_class_uid": NM_CLASS,
        "frame_count": 2,
        "image_type": ("ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"),
        "radionuclide": "Tc-99m",
        "tracer": "MDP",
        "spacing_mm": (2.4, 2.4),
    }
    return series(uid, **{**defaults, **values})


def spect(uid: str = "1", **values: Any) -> SeriesHeader:
    """Reconstructed sections of a bone tracer."""
    recon = ("ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION")
    return planar(uid, **{"image_type": recon, "frame_count": 80, "frame_of_reference_uid": "1.9", **values})


def ct(uid: str = "1", **values: Any) -> SeriesHeader:
    """A soft-tissue body CT."""
    defaults: dict[str, Any] = {
        "modality": "CT",
        "frame_count": 200,
        "image_type": ("ORIGINAL", "PRIMARY", "AXIAL"),
        "body_part": "CHEST",
        "spacing_mm": (0.8, 0.8),
        "has_position": True,
        "plane": Plane.AXIAL,
        "slice_thickness_mm": 2.0,
        "convolution_kernel": "B30F",
        "frame_of_reference_uid": "1.9",
    }
    return series(uid, **{**defaults, **values})


def pet(uid: str = "1", **values: Any) -> SeriesHeader:
    """An attenuation-corrected FDG PET."""
    defaults: dict[str, Any] = {
        "modality": "PT",
        "frame_count": 267,
        "image_type": ("ORIGINAL", "PRIMARY"),
        "spacing_mm": (4.0, 4.0),
        "has_position": True,
        "plane": Plane.AXIAL,
        "radionuclide": "F-18",
        "tracer": "FDG",
        "corrected_image": frozenset({"ATTN", "DECY"}),
        "frame_of_reference_uid": "1.9",
    }
    return series(uid, **{**defaults, **values})


def mr(uid: str = "1", **values: Any) -> SeriesHeader:
    """An MR series of the spine without a purpose yet."""
    defaults: dict[str, Any] = {
        "modality": "MR",
        "frame_count": 40,
        "image_type": ("ORIGINAL", "PRIMARY", "M"),
        "body_part": "SPINE",
        "spacing_mm": (1.5, 1.5),
        "has_position": True,
        "plane": Plane.AXIAL,
    }
    return series(uid, **{**defaults, **values})


def study(*items: SeriesHeader, **values: Any) -> StudyHeaders:
    """A study of these series."""
    return StudyHeaders(study_uid="1.2", series=items, **values)


NM_TYPE = ("ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION")
STATIC = ("ORIGINAL", "PRIMARY", "STATIC", "EMISSION")
DYNAMIC = ("ORIGINAL", "PRIMARY", "DYNAMIC", "EMISSION")

TAKEN = {
    "whole-body MDP": ((planar(),), Branch.BONE_SCAN),
    "old camera's export": (
        (planar(sop_class_uid=SC_CLASS, tracer=None, radionuclide=None, protocol_text="WHOLE BODY BONE"),),
        Branch.BONE_SCAN,
    ),
    "whole body known by its energy window": (
        (planar(tracer=None, radionuclide=None, energy_windows=(PHOTOPEAK,)),),
        Branch.BONE_SCAN,
    ),
    "static spots with a bone tracer": ((planar(image_type=STATIC),), Branch.BONE_SCAN),
    "static spots with a bone protocol": (
        (planar(image_type=STATIC, tracer=None, protocol_text="KNOCHENSZINTIGRAPHIE"),),
        Branch.BONE_SCAN,
    ),
    "three phases with the delayed whole body": (
        (planar("1", image_type=DYNAMIC), planar("2", protocol_text="BONE 3 PHASE DYNAMIC")),
        Branch.BONE_SCAN,
    ),
    "whole body beside SPECT": ((spect("1"), planar("2")), Branch.BONE_SCAN),
    "SPECT alone": ((spect(),), Branch.SPECT),
    "SPECT/CT": ((ct("1"), spect("2")), Branch.SPECT),
    "SPECT beside static spots": ((planar("1", image_type=STATIC), spect("2")), Branch.SPECT),
    "chest CT": ((ct(),), Branch.CT),
    "CT of an unknown part": ((ct(body_part=None),), Branch.CT),
    "CT of head, neck and chest": ((ct(body_part=None, protocol_text="HEAD NECK CHEST"),), Branch.CT),
    "FDG PET/CT": ((pet("1"), ct("2")), Branch.PET_CT),
    "PET of an unstated tracer": ((pet(tracer=None),), Branch.PET_CT),
    "PSMA PET": ((pet(tracer="PSMA-1007"),), Branch.PET_CT),
    "diffusion": ((mr(b_values=(0.0, 900.0)),), Branch.MRI),
    "ADC map": ((mr(image_type=("DERIVED", "SECONDARY", "ADC")),), Branch.MRI),
    "CT beside MR without diffusion": ((mr("1", protocol_text="T1"), ct("2")), Branch.CT),
    "results of others beside a scan": ((series("1", modality="SR", frame_count=0), planar("2")), Branch.BONE_SCAN),
}

REFUSED = {
    "several patients": (study(planar(), patient_count=2), Reason.SEVERAL_PATIENTS),
    "under age": (study(planar(), is_minor=True), Reason.PAEDIATRIC),
    "two tracers in one PET": (study(pet(named_tracers=frozenset({"FDG", "NaF"}))), Reason.UNSUPPORTED_TRACER),
    "FDG with another's label": (study(pet(radionuclide="Ga-68")), Reason.UNSUPPORTED_TRACER),
    "diffusion without b-values": (study(mr(protocol_text="DWI")), Reason.MISSING_DIFFUSION),
    "nothing": (study(), Reason.NO_IMAGES),
    "only unreadable files": (study(unreadable_files=3), Reason.UNREADABLE_INPUT),
    "only reports": (
        study(series("1", modality="SR", frame_count=0), series("2", modality="SEG"), series("3", modality="DOC")),
        Reason.NO_IMAGES,
    ),
    "no pixel data": (study(planar(frame_count=0)), Reason.MISSING_PIXEL_DATA),
    "knee radiograph": (study(series(modality="DX", body_part="KNEE")), Reason.UNSUPPORTED_MODALITY),
    "ultrasound": (study(series(modality="US")), Reason.UNSUPPORTED_MODALITY),
    "MIBG": (study(planar(tracer="MIBG", radionuclide="I-123")), Reason.UNSUPPORTED_TRACER),
    "iodine without a tracer": (study(planar(tracer=None, radionuclide="I-131")), Reason.UNSUPPORTED_TRACER),
    "iodine by its window alone": (
        study(planar(tracer=None, radionuclide=None, energy_windows=(IODINE,), protocol_text="WHOLE BODY")),
        Reason.UNSUPPORTED_TRACER,
    ),
    "sestamibi": (study(planar(tracer="sestamibi")), Reason.UNSUPPORTED_TRACER),
    "amyloid scan": (study(planar(tracer="PYP")), Reason.UNSUPPORTED_TRACER),
    "thyroid scan": (
        study(planar(image_type=STATIC, tracer=None, protocol_text="THYROID")),
        Reason.UNSUPPORTED_EXAMINATION,
    ),
    "whole-body leucocytes by text": (
        study(planar(tracer=None, protocol_text="WHOLE BODY WBC")),
        Reason.UNSUPPORTED_EXAMINATION,
    ),
    "flow and blood pool alone": (
        study(planar("1", image_type=DYNAMIC), planar("2", image_type=STATIC, protocol_text="BONE BLOOD POOL")),
        Reason.UNSUPPORTED_EXAMINATION,
    ),
    "SPECT projections alone": (
        study(planar(image_type=("ORIGINAL", "PRIMARY", "TOMO", "EMISSION"))),
        Reason.UNSUPPORTED_EXAMINATION,
    ),
    "SPECT without spacing": (study(spect(spacing_mm=None)), Reason.MISSING_GEOMETRY),
    "brain CT by body part": (study(ct(body_part="HEAD")), Reason.UNSUPPORTED_EXAMINATION),
    "brain CT by text": (study(ct(body_part=None, protocol_text="CT BRAIN WO")), Reason.UNSUPPORTED_EXAMINATION),
    "CT localizer alone": (
        study(ct(image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"), frame_count=2)),
        Reason.UNSUPPORTED_EXAMINATION,
    ),
    "CT projections alone": (
        study(ct(image_type=("DERIVED", "SECONDARY", "AXIAL", "MIP"))),
        Reason.UNSUPPORTED_EXAMINATION,
    ),
    "three CT slices": (study(ct(frame_count=3)), Reason.UNSUPPORTED_EXAMINATION),
    "CT without spacing": (study(ct(spacing_mm=None)), Reason.MISSING_GEOMETRY),
    "CT without positions": (study(ct(has_position=False, plane=None)), Reason.MISSING_GEOMETRY),
    "screen captures alone": (study(ct(sop_class_uid=SC_CLASS)), Reason.NO_IMAGES),
    "DOTATATE PET/CT, CT and all": (
        study(pet("1", tracer="DOTATATE", radionuclide="Ga-68"), ct("2")),
        Reason.UNSUPPORTED_TRACER,
    ),
    "ammonia PET": (study(pet(tracer=None, radionuclide="N-13")), Reason.UNSUPPORTED_TRACER),
    "brain PET": (study(pet(body_part="BRAIN")), Reason.UNSUPPORTED_EXAMINATION),
    "PET projections": (study(pet(series_type=("WHOLE BODY", "REPROJECTION"))), Reason.UNSUPPORTED_EXAMINATION),
    "PET without spacing": (study(pet(spacing_mm=None)), Reason.MISSING_GEOMETRY),
    "MR without diffusion": (study(mr(protocol_text="T2 FAT SAT")), Reason.MISSING_DIFFUSION),
    "stroke MR": (study(mr(body_part="BRAIN", b_values=(0.0, 1000.0))), Reason.UNSUPPORTED_EXAMINATION),
    "diffusion without positions": (
        study(mr(b_values=(0.0, 900.0), has_position=False)),
        Reason.MISSING_GEOMETRY,
    ),
}


@pytest.mark.parametrize(("items", "branch"), TAKEN.values(), ids=TAKEN.keys())
def test_study_takes_its_branch(items: tuple[SeriesHeader, ...], branch: Branch) -> None:
    """A study that can be assessed is routed to the branch of its modality."""
    assert classify(study(*items)).branch is branch


@pytest.mark.parametrize(("headers", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_study_is_refused_with_its_reason(headers: StudyHeaders, reason: Reason) -> None:
    """A study that cannot be assessed says why, in a sentence."""
    refusal = classify(headers).refusal
    assert refusal is not None
    assert refusal.reason is reason
    assert refusal.explanation.endswith(".")


def test_hybrid_ct_shares_the_frame_of_reference() -> None:
    """Only a CT of the emission's own frame of reference becomes its anatomy."""
    other = ct("3", frame_of_reference_uid="1.8")
    for emission, branch in ((pet("1"), Branch.PET_CT), (spect("1"), Branch.SPECT)):
        decision = classify(study(emission, ct("2"), other))
        assert decision.branch is branch
        assert decision.roles == {SeriesRole.EMISSION: ("1",), SeriesRole.ANATOMY: ("2",)}
    assert SeriesRole.ANATOMY not in classify(study(pet("1"), other)).roles


def test_attenuation_corrected_pet_goes_first() -> None:
    """Of two PET series the attenuation-corrected one is preferred, however many slices the other has."""
    bare = pet("1", corrected_image=frozenset({"DECY"}), frame_count=300)
    assert classify(study(bare, pet("2"))).roles[SeriesRole.EMISSION] == ("2", "1")


def test_thin_soft_axial_ct_goes_first() -> None:
    """Axial before reformatted, thin before thick, soft kernel before sharp, then the thinnest."""
    candidates = (
        ct("1", slice_thickness_mm=5.0),
        ct("2", slice_thickness_mm=1.0, convolution_kernel="B80F"),
        ct("3", slice_thickness_mm=3.0, convolution_kernel="STANDARD"),
        ct("4", slice_thickness_mm=1.5, convolution_kernel="Br40d"),
        ct("5", slice_thickness_mm=1.0, plane=Plane.CORONAL),
        ct("6", image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")),
        ct("7", frame_count=4),
    )
    assert classify(study(*candidates)).roles[SeriesRole.ANATOMY] == ("4", "3", "2", "1", "5")


def test_mr_series_get_their_roles() -> None:
    """Diffusion with most b-values first, ADC, T1, fluid-sensitive and Dixon images are told apart."""
    decision = classify(
        study(
            mr("1", b_values=(50.0, 900.0)),
            mr("2", b_values=(50.0, 400.0, 900.0)),
            mr("3", image_type=("DERIVED", "PRIMARY", "DIFFUSION", "ADC"), b_values=(900.0,)),
            mr("4", protocol_text="SPINE | T1 TSE SAG"),
            mr("5", protocol_text="SPINE | STIR SAG"),
            mr("6", protocol_text="SPINE | LOCALIZER"),
            mr("7", protocol_text="SPINE | DIFF FA", b_values=(900.0,)),
            mr("8", echo_time_ms=12.0, repetition_time_ms=550.0),
            mr("9", echo_time_ms=2.4, repetition_time_ms=9.0, image_type=("DERIVED", "PRIMARY", "OTHER", "WATER")),
            mr("10", echo_time_ms=2.4, repetition_time_ms=9.0, protocol_text="SPINE | T1_VIBE_DIXON_F"),
            mr("11", echo_time_ms=2.4, repetition_time_ms=600.0, image_type=("ORIGINAL", "PRIMARY", "OP", "OP")),
            mr("12", image_type=("ORIGINAL", "PRIMARY", "IN_PHASE"), protocol_text="T1 TSE DIXON"),
            mr("13", echo_time_ms=2.4, repetition_time_ms=5.0, protocol_text="VIBE FAT SAT"),
        )
    )
    assert decision.roles == {
        SeriesRole.DIFFUSION: ("2", "1"),
        SeriesRole.ADC: ("3",),
        SeriesRole.T1: ("12", "4", "8"),
        SeriesRole.FLUID_SENSITIVE: ("5",),
        SeriesRole.DIXON_WATER: ("9",),
        SeriesRole.DIXON_FAT: ("10",),
        SeriesRole.IN_PHASE: ("12",),
        SeriesRole.OPPOSED_PHASE: ("11",),
    }


def test_spots_follow_the_whole_body() -> None:
    """Whole-body series come before static spots of the same scan; blood pool is left out."""
    decision = classify(
        study(
            planar("1", image_type=STATIC),
            planar("2"),
            planar("3", image_type=STATIC, protocol_text="BONE BLOOD POOL"),
        )
    )
    assert decision.roles == {SeriesRole.PLANAR: ("2", "1")}


def test_tracer_of_one_series_speaks_for_its_study() -> None:
    """A series that is silent about its tracer is judged by the tracer that another series states."""
    silent = planar("2", tracer=None, radionuclide=None)
    assert classify(study(planar("1", image_type=STATIC), silent)).branch is Branch.BONE_SCAN
    assert classify(study(planar("1", tracer="sestamibi"), silent)).refusal is not None
