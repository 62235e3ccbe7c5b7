"""Where real images are found. Nothing of them is kept with the project."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

from pydicom.data import get_testdata_file

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "BMNODE_SHARED_DATA"


def shared_data_directory() -> Path:
    """The folder that the environment names, or the default beside the repository; it need not exist."""
    return (ROOT / os.environ.get(VARIABLE, "../shared/data")).resolve()


def unpack(archive: Path, destination: Path) -> tuple[Path, ...]:
    """Extract a tar archive and return its regular files in the order of their names."""
    with tarfile.open(archive) as tar:
        tar.extractall(destination, filter="data")
    return tuple(sorted(path for path in destination.rglob("*") if path.is_file()))


def real_bone_scan() -> Path:
    """A real whole-body bone scan (anterior; JPEG Lossless; Secondary Capture with Modality NM) of `pydicom-data`."""
    path = get_testdata_file("JPEG-LL.dcm", download=False)
    if path is None:
        raise FileNotFoundError("JPEG-LL.dcm: the test extra installs it with pydicom-data")
    return Path(str(path))
