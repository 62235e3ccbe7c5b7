"""The CT of a study as registration takes it: alone, or beside emission images."""

from __future__ import annotations

from dataclasses import dataclass

from bmnode.domain.codes import SiteCertainty
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from bmnode.domain.registration import ImageReference, RegisteredImage
from bmnode.domain.study import Reason, SeriesRole
from operators.graph.contract import NotAssessableError, StudyInput
from operators.kernels.bone import segment_bone
from operators.kernels.registration.global_align import CtBone
from operators.kernels.skeleton_sites.atlas_namer import AtlasNamer
from operators.kernels.skeleton_sites.sites import SkeletonMap
from operators.readers.frames import read_header
from operators.readers.volume import ImageVolume, read_volume
from pipelines.ct.profile import profile as ct_profile
from pipelines.follow_up.contract import BoneOf
from pipelines.follow_up.registration import profile
from pipelines.orientation import refuse_contradiction
from pipelines.volumetric import first_readable


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CtScan:
    """One CT: its bone, the names of its bones, and the image as a registration object names it."""

    ct: CtBone
    names: SkeletonMap
    image: RegisteredImage


def read_scan(study: StudyInput) -> CtScan:
    """The CT of a study.

    Raises NotAssessableError where it has none that can be read, none with a frame of reference, or one that shows the
    patient otherwise than its header says.
    """
    series = study.role(SeriesRole.ANATOMY)
    series_uid, volume = first_readable(study, series, read=read_volume)
    if not volume.geometry.frame_of_reference_uid:
        raise NotAssessableError(Reason.MISSING_GEOMETRY, "The CT names no frame of reference.")
    ct, names = scan_of(volume)
    refuse_contradiction(ct.work.orientation)
    return CtScan(ct=ct, names=names, image=image_of(study.request.study_uid, series_uid, volume))


def scan_of(volume: ImageVolume) -> tuple[CtBone, SkeletonMap]:
    """Bone and its names, found in both scans by the rules of the CT branch, whichever branch the study takes."""
    work = segment_bone(volume.array, volume.geometry, profile=ct_profile().skeleton)
    names = AtlasNamer(limits=ct_profile().sites.atlas)(work, volume.geometry)
    return profile().ct(work, volume.geometry), names


def image_of(study_uid: str, series_uid: str, volume: ImageVolume) -> RegisteredImage:
    """The image that a registration object refers to."""
    sop_class = str(read_header(volume.slice_paths[0]).get("SOPClassUID"))
    return RegisteredImage(
        study_uid=study_uid,
        series_uid=series_uid,
        frame_of_reference_uid=volume.geometry.frame_of_reference_uid,
        instances=tuple(
            ImageReference(sop_class_uid=sop_class, sop_instance_uid=uid) for uid in volume.source_instance_uids
        ),
    )


def bone_of_ct(names: SkeletonMap) -> BoneOf:
    """Bone and side of a mask on the CT's skeleton; None unless the single bone is known."""

    def bone_of(mask: CroppedMask, geometry: VolumeGeometry) -> str | None:
        site = names.site_of(mask, geometry, limits=ct_profile().sites.lesion)
        if site.site is None or site.certainty != SiteCertainty.BONE:
            return None
        return site.site.value if site.laterality is None else f"{site.site.value} {site.laterality.value}"

    return bone_of
