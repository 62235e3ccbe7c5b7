"""Outlines of the vertebral regions of a real patient's two ADC maps, from the side, before and after registration.

Run `python -m benchmarks.spine_pair NOW THEN` from the repository's root, with the folders of the DICOM files of the
later and of the earlier map. It prints the overlap and writes `docs/explanation/spine-of-two-dates.svg`, which holds
outlines alone and nothing of the images.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import CroppedMask
from bmnode.selection.headers import read_study
from operators.kernels.lesion_matching.places import mapped_mask, voxel_places
from operators.kernels.registration.spine import METHOD, SpineMap, align_spines
from operators.kernels.registration.transform import RigidTransform
from operators.kernels.vertebral_region import find_region
from operators.readers.frames import read_header
from operators.readers.volume import read_volume
from pipelines.evaluation.registration.scores import dice
from pipelines.follow_up.registration import profile
from pipelines.mri.branch import profile as mri_profile

FloatArray = npt.NDArray[np.float64]
PICTURE = Path("docs") / "explanation" / "spine-of-two-dates.svg"


def spine_map(files: Sequence[Path]) -> SpineMap:
    """The ADC map of a date with its vertebral region, found without the other date. Raises ValueError without one."""
    reading = read_study(tuple(files), study_uid=str(read_header(files[0]).StudyInstanceUID))
    volume = read_volume(next(iter(reading.files.values())))
    region = find_region(volume.array, volume.geometry, limits=mri_profile().region)
    if region is None:
        raise ValueError("no spinal canal was found on the map")
    return SpineMap(adc=volume.array, region=region.mask, geometry=volume.geometry)


def region_overlap(now: SpineMap, then: SpineMap, motion: FloatArray) -> float:
    """Dice of both regions under a motion, over the slices that both have."""
    way = RigidTransform.from_matrix(motion, from_frame="1.2.1", to_frame="1.2.2")

    class Map:
        """Both ways of the motion."""

        apply = staticmethod(way.apply)
        apply_inverse = staticmethod(way.inverse().apply)

    mapped = mapped_mask(CroppedMask.from_array(then.region), Map(), source=then.geometry, target=now.geometry)
    if mapped is None:
        return 0.0
    there = mapped.to_array()
    both = there.any(axis=(1, 2)) & now.region.any(axis=(1, 2))
    return dice(there[both], now.region[both])


def outline(image: SpineMap, motion: FloatArray) -> list[tuple[float, float]]:
    """Front and back of the region at every slice, (y, z) LPS mm, moved; front edge up, back edge down."""
    places = voxel_places(CroppedMask.from_array(image.region), image.geometry)
    moved = places @ motion[:3, :3].T + motion[:3, 3]
    fronts, backs = [], []
    for height in np.unique(places[:, 2]):
        own = moved[places[:, 2] == height]
        fronts.append((float(own[:, 1].min()), float(own[:, 2].mean())))
        backs.append((float(own[:, 1].max()), float(own[:, 2].mean())))
    return [*fronts, *reversed(backs)]


def drawing(now: SpineMap, then: SpineMap, motion: FloatArray) -> str:
    """Both outlines side by side: in the scanner's frames, and with the earlier one where the motion brings it."""
    back = np.asarray(np.linalg.inv(motion))
    panels = []
    for number, (title, moved) in enumerate((("before", np.eye(4)), ("after", back))):
        overlap = region_overlap(now, then, motion if number else np.eye(4))
        lines = [
            f'<polygon points="{_points(outline(image, way), 240 * number)}" fill="none" stroke="{colour}" '
            'stroke-width="1.5"/>'
            for image, way, colour in ((now, np.eye(4), "#1f5fa8"), (then, moved, "#c2571a"))
        ]
        words = f'<text x="{240 * number + 20}" y="20" font-size="13">{title}: Dice {overlap:.2f}</text>'
        panels.append("".join([words, *lines]))
    words = "blue: later map; orange: earlier map; front of the patient on the left"
    key = f'<text x="20" y="385" font-size="11">{words}</text>'
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="480" height="400" font-family="sans-serif">'
        f'<rect width="480" height="400" fill="white"/>{"".join(panels)}{key}</svg>\n'
    )


def _points(outline_mm: Sequence[tuple[float, float]], left: int) -> str:
    return " ".join(f"{left + 110 + y:.1f},{220 - z:.1f}" for y, z in outline_mm)


def main(now: Path, then: Path) -> None:
    """Register, print, draw. Raises ValueError where the maps cannot be registered."""
    maps = [spine_map(sorted(folder.rglob("*.dcm"))) for folder in (now, then)]
    found = align_spines(maps[0], maps[1], limits=profile().spine)
    if found is None:
        raise ValueError("no motion stands out")
    before, after = (region_overlap(maps[0], maps[1], motion) for motion in (np.eye(4), found.motion))
    print(f"{METHOD}: Dice of the vertebral regions {before:.3f} before, {after:.3f} after")
    PICTURE.write_text(drawing(maps[0], maps[1], found.motion), encoding="utf-8")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
