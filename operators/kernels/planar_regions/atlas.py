"""The atlas: how a body looks in both views, and how often each part lies where; a named, hashed data file."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import cast

import numpy as np
import numpy.typing as npt

from bmnode.errors import ConfigError
from operators.kernels.planar_regions.parts import PART_NUMBERS
from operators.kernels.planar_regions.placement import FRAME_SHAPE
from operators.kernels.planar_regions.registration import Image

ATLAS_FILE = "atlas_simulated.npz"
LOOK_STEPS = 127.0
"""Stored steps of the look by one unit of `feature`."""
CHANCE_STEPS = 15.0
"""Stored steps of a chance of 1."""
UPPER_STEPS = 32.0
"""Stored steps of the normal skeleton's uptake."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlanarAtlas:
    """Both views in the body's frame, seen as from the front; the first axis is (anterior, posterior).

    Args:
        id: name and version.
        source: what it was made from.
        look: `feature` of the mean body, uint8 steps of 1 / `LOOK_STEPS`, (2, row, column).
        chances: of each part, uint8 steps of 1 / `CHANCE_STEPS`, (2, part, row, column); part 0 is no bone.
        upper: uptake by the normal skeleton's that one in ten healthy people exceeds, uint8 steps of
            1 / `UPPER_STEPS`, (2, row, column).
        sha256: of the file.

    Raises ValueError where the arrays are of another shape or type.
    """

    id: str
    source: str
    look: npt.NDArray[np.uint8]
    chances: npt.NDArray[np.uint8]
    upper: npt.NDArray[np.uint8]
    sha256: str = ""

    def __post_init__(self) -> None:
        for image in (self.look, self.upper):
            if image.shape != (2, *FRAME_SHAPE) or image.dtype != np.uint8:
                raise ValueError("an atlas has images of two views on the body's frame, uint8")
        if self.chances.shape != (2, len(PART_NUMBERS) + 1, *FRAME_SHAPE) or self.chances.dtype != np.uint8:
            raise ValueError("an atlas has one chance a view, part and pixel of the body's frame, uint8")
        if not self.id.strip() or not self.source.strip():
            raise ValueError("an atlas has an id and says what it was made from")

    def look_of(self, *, is_posterior: bool) -> Image:
        """What `feature` is of the mean body in one view."""
        return np.asarray(self.look[int(is_posterior)] / LOOK_STEPS, dtype=np.float32)

    def upper_of(self, *, is_posterior: bool) -> Image:
        """The upper normal uptake in one view, in multiples of the normal skeleton."""
        return np.asarray(self.upper[int(is_posterior)] / UPPER_STEPS, dtype=np.float32)

    def to_bytes(self) -> bytes:
        """The file, the same bytes for the same atlas."""
        names = json.dumps({"id": self.id, "source": self.source, "parts": [str(part) for part in PART_NUMBERS]})
        about = np.frombuffer(names.encode("utf-8"), dtype=np.uint8)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, array in (
                ("about", about),
                ("look", self.look),
                ("chances", self.chances),
                ("upper", self.upper),
            ):
                part = io.BytesIO()
                np.lib.format.write_array(part, np.ascontiguousarray(array), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy"), part.getvalue(), zipfile.ZIP_DEFLATED)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, *, name: str) -> PlanarAtlas:
        """Read a file. Raises ConfigError where it is none or its parts are others than this version's."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                about = json.loads(bytes(stored["about"]).decode("utf-8"))
                if about["parts"] != [str(part) for part in PART_NUMBERS]:
                    raise ConfigError(f"{name}: the atlas has other parts than this version of bmnode")
                return cls(
                    id=str(about["id"]),
                    source=str(about["source"]),
                    look=cast("npt.NDArray[np.uint8]", stored["look"]),
                    chances=cast("npt.NDArray[np.uint8]", stored["chances"]),
                    upper=cast("npt.NDArray[np.uint8]", stored["upper"]),
                    sha256=hashlib.sha256(content).hexdigest(),
                )
        except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
            raise ConfigError(f"{name}: cannot be read as an atlas: {error}") from error


@cache
def shipped_atlas() -> PlanarAtlas:
    """The atlas that comes along."""
    content = resources.files(__package__).joinpath(ATLAS_FILE).read_bytes()
    return PlanarAtlas.from_bytes(content, name=ATLAS_FILE)
