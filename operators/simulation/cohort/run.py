"""A cohort onto disk: what is whole stays, what is missing or half done is made, then the index is written.

```
OUT/cohort.json                                        the index, `complete` once everything is there
OUT/patient-00001/baseline/bone-scan/dicom/...         instances and nothing else
OUT/patient-00001/baseline/bone-scan/truth/...
OUT/patient-00001/baseline/bone-scan/manifest.json     written last
```
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bmnode.domain.pipelines import Progress, ReportProgress
from bmnode.errors import ConfigError, SimulationError
from operators.simulation.cohort.manifest import FORMAT, Manifest, digests, whole, write_json
from operators.simulation.cohort.plan import Place, places, plan, plan_digest, protocol_of
from operators.simulation.cohort.size import bytes_of
from operators.simulation.cohort.specification import CohortSpec
from operators.simulation.compose import SceneBuilder
from operators.simulation.workers import side_by_side

INDEX = "cohort.json"
_SPARE = 1.1
_SCRATCH_BYTES = 1_500_000_000
"""Room for the anatomies in the cache."""


def run(
    spec: CohortSpec, *, seed: int, out: Path, cache_dir: Path, workers: int, report: ReportProgress
) -> tuple[tuple[Place, Manifest, bool], ...]:
    """Make what is missing of a cohort; every study with its manifest, and whether it was made now.

    Args:
        spec: the cohort.
        seed: of everything that is drawn.
        out: takes the studies and the index.
        cache_dir: keeps what does not depend on the cohort.
        workers: processes.
        report: told after each study.

    Raises:
        ConfigError: `out` holds another cohort.
        SimulationError: the disk is too small or a process was ended; what is finished stays.
    """
    wanted = tuple(places(spec, seed))
    _refuse_other(out, spec=spec, seed=seed)
    there = {place: whole(out / place.folder, plan=plan_digest(spec, seed, place)) for place in wanted}
    missing = [place for place in wanted if there[place] is None]
    _refuse_small_disk(out, [bytes_of(protocol_of(spec, seed, place)) for place in missing])
    _write_index(out, spec=spec, seed=seed, studies=[], complete=False)
    done = len(wanted) - len(missing)
    report(Progress(fraction=done / max(1, len(wanted)), step=f"{done} of {len(wanted)} studies"))
    jobs = [(spec, seed, place, out, cache_dir) for place in missing]
    if missing:
        for number, made in side_by_side(_make, jobs, workers=workers, first=(None, 0, None, out, cache_dir)):
            there[missing[number]] = made
            done += 1
            report(Progress(fraction=done / len(wanted), step=f"{done} of {len(wanted)} studies"))
    made_now = set(missing)
    finished = tuple((place, _known(there[place]), place in made_now) for place in wanted)
    studies = [_entry(place, manifest) for place, manifest, _ in finished]
    _write_index(out, spec=spec, seed=seed, studies=studies, complete=True)
    return finished


def _make(spec: CohortSpec | None, seed: int, place: Place | None, out: Path, cache_dir: Path) -> Manifest | None:
    """In a worker: one study, or without a place the depth fields that all of them need."""
    builder = _builder(cache_dir)
    if spec is None or place is None:
        assert builder.anatomy.templates
        return None
    try:
        return _made(spec, seed, place, out=out, builder=builder)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise SimulationError(f"the disk of {out} is full; free some and run the same command again") from error
        raise


@cache
def _builder(cache_dir: Path) -> SceneBuilder:
    """One a process: it remembers the depth fields of the persons it saw last."""
    return SceneBuilder(cache_dir, keep=False)


def _made(spec: CohortSpec, seed: int, place: Place, *, out: Path, builder: SceneBuilder) -> Manifest:
    from operators.simulation.acquire import simulate_study

    folder = out / place.folder
    shutil.rmtree(folder, ignore_errors=True)
    study = plan(spec, seed, place, builder=builder)
    on_disk = simulate_study(study, builder=builder, out=folder)
    manifest = Manifest(
        plan=plan_digest(spec, seed, place),
        study_uid=study.header.study_uid,
        patient_id=study.header.patient_id,
        lesions=len(study.patient.lesions),
        instances=len(on_disk.files),
        files=digests(folder),
    )
    manifest.save(folder)
    return manifest


def _known(manifest: Manifest | None) -> Manifest:
    if manifest is None:
        raise SimulationError("a study ended without a manifest")
    return manifest


def _refuse_other(out: Path, *, spec: CohortSpec, seed: int) -> None:
    """Two cohorts in one folder would look like one."""
    try:
        held = json.loads((out / INDEX).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise ConfigError(f"{out / INDEX} cannot be read ({error}): choose another folder, or remove it") from error
    if (held.get("digest"), held.get("seed")) != (spec.digest, seed):
        raise ConfigError(
            f"{out} holds the cohort {held.get('cohort')} of seed {held.get('seed')}, made from another file or seed: "
            "choose another folder"
        )


def _refuse_small_disk(out: Path, sizes: Sequence[int]) -> None:
    """Better now than after a night."""
    if not sizes:
        return
    existing = next(folder for folder in (out, *out.parents) if folder.exists())
    needed = int(sum(sizes) * _SPARE) + _SCRATCH_BYTES
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise SimulationError(
            f"{len(sizes)} studies need about {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free at {existing}: "
            "choose another --out or fewer patients"
        )


def _entry(place: Place, manifest: Manifest) -> dict[str, Any]:
    return {
        "patient": manifest.patient_id,
        "number": place.patient,
        "timepoint": place.timepoint,
        "study": place.name,
        "modality": place.modality.value,
        "study_uid": manifest.study_uid,
        "dicom": str(place.folder / "dicom"),
        "truth": str(place.folder / "truth"),
        "instances": manifest.instances,
        "lesions": manifest.lesions,
    }


def _write_index(out: Path, *, spec: CohortSpec, seed: int, studies: list[dict[str, Any]], complete: bool) -> None:
    write_json(
        out / INDEX,
        {
            "format": FORMAT,
            "cohort": spec.name,
            "description": spec.description,
            "seed": seed,
            "digest": spec.digest,
            "simulated": True,
            "complete": complete,
            "studies": studies,
        },
    )
