"""Which files a bundle has, how large it may be, and what is never in it.

The layout is that of a MONAI bundle (https://docs.monai.io/en/stable/mb_specification.html), without its licence to
hold code: `$` expressions, references and pickled weights are refused, and nothing of a bundle is ever executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bmnode.domain.models import BundleFault
from bmnode.errors import BundleRefusedError

METADATA = "configs/metadata.json"
INFERENCE = "configs/inference.json"
CARD = "docs/README.md"
EVALUATION = "docs/evaluation.json"
WEIGHTS = "models/model.safetensors"
LICENCE = "LICENSE"

REQUIRED = (METADATA, INFERENCE, CARD, EVALUATION, WEIGHTS)
OPTIONAL_ENDINGS = (".json", ".md", ".png", ".toml", ".txt")
"""Of further files: a recipe, a curve, a picture."""
MAX_BYTES = 16 * 1000 * 1000
"""Of one bundle, all files together."""
MAX_BYTES_TOGETHER = 60 * 1000 * 1000
"""Of all bundles that come with bmnode."""

_PICKLED_ENDINGS = frozenset(
    {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".ts", ".joblib", ".npy", ".npz", ".h5"}
)
_PICKLED_STARTS = (b"PK\x03\x04", *(bytes((0x80, protocol)) for protocol in range(2, 6)))
"""A zip (what torch.save writes), and pickle's protocols 2 to 5."""


def list_files(folder: Path) -> tuple[str, ...]:
    """Every file below a folder, as paths with `/`, sorted.

    Raises BundleRefusedError where something is no plain file, is pickled by its name or its first bytes, or has an
    ending that no bundle needs; where the files together are too large; and where the folder cannot be read.
    """
    found = sorted(_walk(folder))
    total = 0
    for name in found:
        total += (folder / name).stat().st_size
        _refuse_pickle(folder / name, name)
    if total > MAX_BYTES:
        raise BundleRefusedError(
            f"{total / 1e6:.1f} MB in all; a bundle has at most {MAX_BYTES / 1e6:g} MB", fault=BundleFault.TOO_LARGE
        )
    for name in found:
        if name not in (*REQUIRED, LICENCE) and Path(name).suffix not in OPTIONAL_ENDINGS:
            raise BundleRefusedError(f"{name}: no file of this kind belongs to a bundle", fault=BundleFault.UNLISTED)
    return tuple(found)


def _walk(folder: Path) -> Iterator[str]:
    if not folder.is_dir() or folder.is_symlink():
        raise BundleRefusedError(f"{folder.name} is no folder", fault=BundleFault.NOT_PLAIN)
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BundleRefusedError(f"{name}: links and devices are not taken", fault=BundleFault.NOT_PLAIN)
        if path.is_file():
            yield name


def _refuse_pickle(path: Path, name: str) -> None:
    with path.open("rb") as stream:
        start = stream.read(4)
    if path.suffix.lower() in _PICKLED_ENDINGS or start.startswith(_PICKLED_STARTS):
        raise BundleRefusedError(
            f"{name}: pickled or zipped objects can run code when they are read; weights are safetensors",
            fault=BundleFault.PICKLE,
        )
