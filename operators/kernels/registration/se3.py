"""Exponential and logarithm of rigid motions, many at once.

A twist is (rotation vector in radians, velocity in millimetres), six numbers. Closed forms as in Murray, Li, Sastry, A
Mathematical Introduction to Robotic Manipulation (1994), section 2.3 and appendix A.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

FloatArray = npt.NDArray[np.float64]

_SMALL = 1e-4
"""Radians below which series take the place of quotients that lose their digits."""


def skew(vectors: FloatArray) -> FloatArray:
    """(..., 3) to the matrices (..., 3, 3) that multiply as the cross product does."""
    x, y, z = np.moveaxis(np.asarray(vectors, dtype=np.float64), -1, 0)
    zero = np.zeros_like(x)
    return np.stack([np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)], axis=-2)


def exp(twists: FloatArray) -> FloatArray:
    """Twists (..., 6) to motions (..., 4, 4)."""
    twists = np.asarray(twists, dtype=np.float64)
    omega, velocity = twists[..., :3], twists[..., 3:]
    angle2 = np.sum(omega * omega, axis=-1)
    angle = np.sqrt(angle2)
    small = angle < _SMALL
    safe = np.where(small, 1.0, angle)
    sine = np.where(small, 1.0 - angle2 / 6.0, np.sin(safe) / safe)
    cosine = np.where(small, 0.5 - angle2 / 24.0, (1.0 - np.cos(safe)) / safe**2)
    rest = np.where(small, 1.0 / 6.0 - angle2 / 120.0, (safe - np.sin(safe)) / safe**3)
    cross = skew(omega)
    square = cross @ cross
    result = np.zeros((*twists.shape[:-1], 4, 4))
    result[..., :3, :3] = np.eye(3) + sine[..., None, None] * cross + cosine[..., None, None] * square
    along = np.eye(3) + cosine[..., None, None] * cross + rest[..., None, None] * square
    result[..., :3, 3] = np.einsum("...ij,...j->...i", along, velocity)
    result[..., 3, 3] = 1.0
    return result


def log(motions: FloatArray) -> FloatArray:
    """Motions (..., 4, 4) to twists (..., 6), rotation angle at most pi."""
    motions = np.asarray(motions, dtype=np.float64)
    flat = motions.reshape(-1, 4, 4)
    omega = Rotation.from_matrix(flat[:, :3, :3]).as_rotvec()
    angle2 = np.sum(omega * omega, axis=-1)
    half = np.sqrt(angle2) / 2.0
    small = half < _SMALL
    safe = np.where(small, 1.0, half)
    factor = np.where(small, 1.0 / 12.0, (1.0 - safe / np.tan(safe)) / (4.0 * safe**2))
    cross = skew(omega)
    back = np.eye(3) - 0.5 * cross + factor[:, None, None] * (cross @ cross)
    velocity = np.einsum("nij,nj->ni", back, flat[:, :3, 3])
    return np.concatenate([omega, velocity], axis=-1).reshape(*motions.shape[:-2], 6)


def about(motion: FloatArray, centre_mm: FloatArray) -> FloatArray:
    """The same motion (4, 4) told from `centre_mm`: what it does to points given relative to that centre."""
    shift = np.eye(4)
    shift[:3, 3] = centre_mm
    back = np.eye(4)
    back[:3, 3] = -np.asarray(centre_mm)
    return np.asarray(shift @ motion @ back)


def moved(points: FloatArray, twists: FloatArray) -> FloatArray:
    """Points (..., 3), each by the exponential of its own twist (..., 6), without making the matrices."""
    omega, velocity = twists[..., :3], twists[..., 3:]
    angle2 = np.sum(omega * omega, axis=-1, keepdims=True)
    angle = np.sqrt(angle2)
    small = angle < _SMALL
    safe = np.where(small, 1.0, angle)
    sine = np.where(small, 1.0 - angle2 / 6.0, np.sin(safe) / safe)
    cosine = np.where(small, 0.5 - angle2 / 24.0, (1.0 - np.cos(safe)) / safe**2)
    rest = np.where(small, 1.0 / 6.0 - angle2 / 120.0, (safe - np.sin(safe)) / safe**3)
    turned = np.cross(omega, points)
    along = np.cross(omega, velocity)
    return np.asarray(
        points + sine * turned + cosine * (np.cross(omega, turned) + along) + velocity + rest * np.cross(omega, along)
    )
