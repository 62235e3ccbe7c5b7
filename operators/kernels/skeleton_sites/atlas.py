"""The atlas that ships: where each bone lies about the spine, from simulated people, one sheet for each posture of
the arms."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from bmnode.domain.bones import VERTEBRAE, Bone
from operators.kernels.skeleton_sites.frame import PathLimits

ATLAS_ID = "SKELETON_ATLAS_SIM_V1"
_FILE = "skeleton_atlas_sim_v1.npz"

PATH_LIMITS = PathLimits(grid_mm=4.0, body_radius_mm=11.0, midline_mm=40.0, front_share=0.42, bend=0.15, smooth_mm=10.0)
"""The atlas was made with these: people and patients must be seen from the same course."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SkeletonAtlas:
    """People about their spines. Heights are millimetres above the upper end of the sacrum in a middle-sized person.

    Args:
        sha256: of the file.
        occupied: float32 (posture, height, v, u), share of people with bone there; u runs to the left and right.
        bones: uint8 (posture, height, v, u), value of `Bone` of the likeliest bone, 0 where none was near; u is the
            distance from the midline.
        heights_mm, v_mm, u_mm: of `occupied`, evenly spaced.
        fine_heights_mm, fine_v_mm, fine_u_mm: of `bones`, evenly spaced.
        centre_mm: height of the middle of each vertebral body, in the order of `VERTEBRAE`.
        people: how many it was made from.
    """

    sha256: str
    occupied: npt.NDArray[np.float32]
    bones: npt.NDArray[np.uint8]
    heights_mm: npt.NDArray[np.float64]
    v_mm: npt.NDArray[np.float64]
    u_mm: npt.NDArray[np.float64]
    fine_heights_mm: npt.NDArray[np.float64]
    fine_v_mm: npt.NDArray[np.float64]
    fine_u_mm: npt.NDArray[np.float64]
    centre_mm: npt.NDArray[np.float64]
    people: int

    def __post_init__(self) -> None:
        if self.occupied.shape[1:] != (len(self.heights_mm), len(self.v_mm), len(self.u_mm)):
            raise ValueError("the atlas' occupancy is not on its axes")
        if self.bones.shape[1:] != (len(self.fine_heights_mm), len(self.fine_v_mm), len(self.fine_u_mm)):
            raise ValueError("the atlas' bones are not on their axes")
        if len(self.centre_mm) != len(VERTEBRAE) or np.any(np.diff(self.centre_mm) >= 0.0):
            raise ValueError("the atlas has one height a vertebra, from the head down")
        unknown = set(np.unique(self.bones).tolist()) - {0} - {int(bone) for bone in Bone}
        if unknown:
            raise ValueError(f"the atlas names bones that do not exist: {sorted(unknown)}")

    @classmethod
    def from_bytes(cls, content: bytes) -> SkeletonAtlas:
        """Read what `pipelines.training.skeleton_atlas` wrote. Raises ValueError where it is something else."""
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            if str(stored["id"]) != ATLAS_ID:
                raise ValueError(f"not the atlas {ATLAS_ID}: {stored['id']}")
            half = stored["occupied"].astype(np.float32) / 255.0
            u_mm = stored["u_mm"].astype(np.float64)
            return cls(
                sha256=hashlib.sha256(content).hexdigest(),
                occupied=np.concatenate([half[..., :0:-1], half], axis=-1),
                bones=stored["bones"],
                heights_mm=stored["heights_mm"].astype(np.float64),
                v_mm=stored["v_mm"].astype(np.float64),
                u_mm=np.concatenate([-u_mm[:0:-1], u_mm]),
                fine_heights_mm=stored["fine_heights_mm"].astype(np.float64),
                fine_v_mm=stored["fine_v_mm"].astype(np.float64),
                fine_u_mm=stored["fine_u_mm"].astype(np.float64),
                centre_mm=stored["centre_mm"].astype(np.float64),
                people=int(stored["people"]),
            )


@cache
def shipped_atlas() -> SkeletonAtlas:
    """The atlas of the package."""
    return SkeletonAtlas.from_bytes(resources.files(__package__).joinpath(_FILE).read_bytes())
