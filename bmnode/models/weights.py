"""The weights of a bundle, as far as that is seen without computing: safetensors in half precision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from safetensors import SafetensorError, safe_open

from bmnode.domain.models import BundleFault
from bmnode.errors import BundleRefusedError

HALF = "F16"


def weight_shapes(path: Path) -> Mapping[str, tuple[int, ...]]:
    """The shape of every tensor by its name. No tensor is read.

    Raises BundleRefusedError where the file is no safetensors file, is empty, or is not in half precision.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    try:
        with safe_open(path, framework="numpy") as stored:
            for name in stored.keys():  # noqa: SIM118 - not a mapping
                part = stored.get_slice(name)
                if part.get_dtype() != HALF:
                    raise BundleRefusedError(
                        f"{name} is {part.get_dtype()}; weights are {HALF}", fault=BundleFault.PRECISION
                    )
                shapes[name] = tuple(part.get_shape())
    except (SafetensorError, OSError) as error:
        raise BundleRefusedError(f"{path.name} cannot be read: {error}", fault=BundleFault.WEIGHTS) from error
    if not shapes:
        raise BundleRefusedError(f"{path.name} holds no weights", fault=BundleFault.WEIGHTS)
    return MappingProxyType(shapes)
