"""How long the PET/CT branch measures, and in how much memory, given bone and lesions.

Run `python -m benchmarks.pet_ct_measurements` from the repository's root. It makes a whole-body PET with its bone, a
hundred lesions and the CT at organ scale as arrays, places the references, measures everything that goes into the
report, and writes one line a size: seconds on one core, peak memory beside the series, and the limit.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from dataclasses import dataclass

import numpy as np

from bmnode.domain.geometry import BoolArray, CroppedMask, VolumeGeometry
from bmnode.domain.pipelines import PipelineRequest
from bmnode.domain.study import Branch, Classification, StudyHeaders
from operators.graph.contract import StudyInput
from operators.kernels.coarse_ct import CoarseCt, find_lungs
from operators.kernels.reference_uptake import sphere
from operators.kernels.suv import PetSeries, SuvScale
from operators.readers.pet import SuvVolume
from operators.readers.volume import ImageVolume
from pipelines.hybrid import HybridBone
from pipelines.pet_ct.branch import Detected, Prepared, Segmented, profile, quantify
from pipelines.pet_ct.references import find_references

LIMIT_S = 5.0
LESIONS = 100
SIZES = (
    ((250, 200, 200), (4.0, 4.0, 4.0)),
    ((400, 256, 256), (2.5, 2.73, 2.73)),
    ((645, 440, 440), (1.65, 1.65, 1.65)),
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Case:
    """One study in memory."""

    detected: Detected
    ct: CoarseCt
    series_bytes: int


def case(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Case:
    """A body of SUV 1 with a hundred spheres of 1 to 30 ml, a column of bone, and a coarse CT of the same extent."""
    z, y, x = spacing_mm
    matrix = np.array([[0, 0, x, 0], [0, y, 0, 0], [z, 0, 0, 0], [0, 0, 0, 1.0]])
    geometry = VolumeGeometry.from_matrix(matrix, shape=shape, frame_of_reference_uid="1.2.3")
    random = np.random.default_rng(1)
    array = random.normal(1.0, 0.1, size=shape).astype(np.float32)
    lesions: list[CroppedMask] = []
    taken: BoolArray = np.zeros(shape, dtype=np.bool_)
    while len(lesions) < LESIONS:
        centre = random.uniform(0.1, 0.9, size=3) * np.array(shape)[::-1] * np.array([x, y, z])
        mask = sphere(geometry, (centre[0], centre[1], centre[2]), radius_mm=float(random.uniform(6.2, 19.3)))
        if mask is not None and not (mask.values & taken[mask.box]).any():
            taken[mask.box] |= mask.values
            array[mask.box][mask.values] += np.float32(random.uniform(4.0, 20.0))
            lesions.append(mask)
    bone = np.zeros(shape, dtype=np.bool_)
    bone[:, shape[1] * 5 // 9 : shape[1] * 2 // 3, shape[2] * 4 // 9 : shape[2] * 5 // 9] = True
    volume = ImageVolume(array=array, geometry=geometry, source_instance_uids=("1.2.3",))
    study = StudyInput(
        request=PipelineRequest(study_uid="1.2", files=(), seed="benchmark"),
        headers=StudyHeaders(study_uid="1.2", series=()),
        classification=Classification(branch=Branch.PET_CT),
        files={},
    )
    suv = SuvVolume(
        volume=volume, scale=SuvScale(factors=(1.0,), per_bq_ml=1e-4), series=PetSeries(units="GML"), lean_share=0.75
    )
    ct = _torso((z * shape[0], y * shape[1], x * shape[2]))
    references = find_references(volume, ct, plausible=profile().reference.plausible.FDG, limits=profile().reference)
    segmented = Segmented(
        prepared=Prepared(study=study, series_uid="1.2.3.1", suv=suv, tracer="FDG"),
        hybrid=HybridBone(series_uid="1.2.3.2", bone=bone, search=bone, coverage=1.0),
        why_no_bone="",
        references=references,
    )
    detected = Detected(segmented=segmented, lesions=tuple(lesions), organs=0)
    return Case(detected=detected, ct=ct, series_bytes=array.nbytes)


def _torso(extent_mm: tuple[float, float, float]) -> CoarseCt:
    """Fat with spine, liver, both lungs and an aorta on blocks of 4 mm: what the references are placed on."""
    shape = tuple(int(side / 4.0) for side in extent_mm)
    z, y, x = (axis * 4.0 for axis in np.meshgrid(*map(np.arange, shape), indexing="ij", sparse=True))
    middle, back, base = extent_mm[2] / 2.0, extent_mm[1] * 0.6, extent_mm[0] / 2.0
    hu = np.full(shape, -1000.0, dtype=np.float32)
    hu[:, 10:-10, 10:-10] = -100.0
    hu[(z > base) & (z < base + 240.0) & (abs(y - back + 60.0) < 90.0) & (abs(x - middle) < 120.0)] = -800.0
    hu[((z - base) / 75.0) ** 2 + ((y - back + 60.0) / 80.0) ** 2 + ((x - middle + 70.0) / 60.0) ** 2 <= 1.0] = 55.0
    hu[np.broadcast_to((y - back + 40.0) ** 2 + (x - middle - 22.0) ** 2 <= 13.0**2, shape)] = 40.0
    column = np.broadcast_to((y - back + 10.0) ** 2 + (x - middle) ** 2 <= 22.0**2, shape)
    canal = np.broadcast_to((y - back) ** 2 + (x - middle) ** 2 <= 8.0**2, shape)
    hu[column] = 300.0
    hu[canal] = 20.0
    matrix = np.array([[0, 0, 4.0, 0], [0, 4.0, 0, 0], [4.0, 0, 0, 0], [0, 0, 0, 1.0]])
    return CoarseCt(
        hu=hu,
        bone=column & ~canal,
        canal=canal,
        lung=find_lungs(hu, voxel_volume_ml=0.064),
        spacing_mm=(4.0, 4.0, 4.0),
        matrix=matrix,
    )


def measure(study: Case) -> None:
    """Everything between the masks and the result set."""
    volume = study.detected.segmented.prepared.suv.volume
    find_references(volume, study.ct, plausible=profile().reference.plausible.FDG, limits=profile().reference)
    quantify(study.detected)


def main() -> int:
    """Measure every size; 1 where one takes longer than the limit."""
    missed = False
    for shape, spacing_mm in SIZES:
        study = case(shape, spacing_mm)
        begun = time.process_time()
        measure(study)
        seconds = time.process_time() - begun
        tracemalloc.start()
        measure(study)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        missed |= seconds > LIMIT_S
        sys.stdout.write(
            f"PET {shape[0]} x {shape[1]} x {shape[2]}, {LESIONS} lesions: {seconds:.2f} s (limit {LIMIT_S:g} s), "
            f"{peak / 1e6:.0f} MB beside a series of {study.series_bytes / 1e6:.0f} MB "
            f"(ratio {peak / study.series_bytes:.2f})\n"
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
