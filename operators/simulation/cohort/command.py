"""What `bmnode simulate` and `bmnode demo` call, by entry point. Importing it loads no heavy library."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from bmnode.domain.pipelines import ReportProgress
from bmnode.domain.simulators import FidelityRow, SimulatedStudy, SimulationReport, SimulationRequest

for _needed in ("mujoco", "myo_sim", "scipy", "torch", "trimesh"):  # found here, in one place, or refused in one
    if find_spec(_needed) is None:
        raise ModuleNotFoundError(f"No module named {_needed!r}", name=_needed)


class BoneMetastasisSimulator:
    """The simulator of this distribution; see `bmnode.domain.simulators.Simulator`."""

    def simulate(self, request: SimulationRequest, report: ReportProgress) -> SimulationReport:
        """Write a cohort's studies, and the page of pictures where it is asked for."""
        from operators.simulation.cohort.run import INDEX, run
        from operators.simulation.cohort.specification import load
        from operators.simulation.preview import draw_page

        spec = load(request.cohort)
        seed = spec.seed if request.seed is None else request.seed
        finished = run(
            spec, seed=seed, out=request.out, cache_dir=request.cache_dir, workers=request.workers, report=report
        )
        studies = tuple(
            SimulatedStudy(
                patient=manifest.patient_id,
                timepoint=place.timepoint,
                name=place.name,
                modality=place.modality.value,
                study_uid=manifest.study_uid,
                dicom=request.out / place.folder / "dicom",
                truth=request.out / place.folder / "truth",
                instances=manifest.instances,
                lesions=manifest.lesions,
                made_now=now,
            )
            for place, manifest, now in finished
        )
        return SimulationReport(
            cohort=spec.name,
            seed=seed,
            index=request.out / INDEX,
            studies=studies,
            preview=draw_page(studies, out=request.out) if request.preview else None,
        )

    def check(self, *, cache_dir: Path, workers: int, report: ReportProgress) -> tuple[FidelityRow, ...]:
        """Simulate small fixed patients and measure them."""
        from operators.simulation.fidelity.check import measure

        return measure(cache_dir=cache_dir, workers=workers, report=report)


SIMULATOR = BoneMetastasisSimulator()
