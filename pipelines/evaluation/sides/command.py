"""What `bmnode model verify` calls, by entry point. Importing it loads no heavy library."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from bmnode.domain.models import SidesReport
from bmnode.domain.study import Branch
from bmnode.errors import ConfigError
from bmnode.models.bundle import Bundle

for _needed in ("mujoco", "torch"):
    if find_spec(_needed) is None:
        raise ModuleNotFoundError(f"No module named {_needed!r}", name=_needed)

PATIENT_SEED = 7_950_001
"""Of the simulated patient that every model is verified on; no recipe that comes along trains on it."""


def check_sides(folder: Path, *, cache_dir: Path) -> SidesReport:
    """A bundle on a simulated patient whose sides are known.

    Raises BundleRefusedError where the bundle is refused, ConfigError where there is no such check for its branch: then
    no bundle of that branch can take over.
    """
    from operators.models.planar import PlanarModel
    from pipelines.bone_scan.profile import load
    from pipelines.evaluation.sides.judge import judge
    from pipelines.training.bone_scan.simulated import healthy_people, parts_of_bones, view_images

    bundle = Bundle.from_folder(folder)
    if bundle.contract.branch is not Branch.BONE_SCAN:
        raise ConfigError(f"sides of models of the branch {bundle.contract.branch} cannot be verified in this version")
    model = PlanarModel.from_bundle(bundle)
    (patient,) = healthy_people([PATIENT_SEED], cache_dir=cache_dir)
    anterior, posterior = view_images(patient, rule=load().body)
    found = model.find(anterior, posterior)
    return judge([parts_of_bones(bones) for bones in patient.bones], [maps.parts for maps in found])
