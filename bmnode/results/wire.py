"""A result set as a folder: JSON for what is said, compressed NumPy arrays for the masks.

    result.json    schema, version and the result set; a mask stands there as origin, shape and array name
    masks.npz      one bit-packed array a mask, one float32 array a displacement field

This is how a result set leaves the child process that made it. Reading is strict: an unknown
or missing key, a value of another type or a damaged array is an error that names its place;
pickled arrays are refused. `result.json` is written last, so a folder without it is unfinished.
"""

from __future__ import annotations

import dataclasses
import json
import os
import types
import typing
import zipfile
from collections.abc import Mapping
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import CroppedMask
from bmnode.domain.results import ResultSet
from bmnode.errors import ResultError

SCHEMA = "bmnode-result-set"
SCHEMA_VERSION = 1
RESULT_FILE = "result.json"
MASKS_FILE = "masks.npz"

_Packed = npt.NDArray[np.uint8] | npt.NDArray[np.float32]


def save_result_set(result_set: ResultSet, folder: Path) -> None:
    """Write the result set into the folder, which is made if it is absent.

    Raises ResultError where a number cannot be written as JSON, OSError where the disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, _Packed] = {}
    try:
        document = {"schema": SCHEMA, "version": SCHEMA_VERSION, "result_set": _encode(result_set, arrays)}
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
    except (TypeError, ValueError) as error:
        raise ResultError(f"the result set cannot be written: {error}") from error
    with (folder / MASKS_FILE).open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # the stub takes `allow_pickle` for an array
        os.fsync(stream.fileno())
    unfinished = folder / f"{RESULT_FILE}.part"
    with unfinished.open("w", encoding="utf-8") as stream_text:
        stream_text.write(text)
        stream_text.flush()
        os.fsync(stream_text.fileno())
    unfinished.replace(folder / RESULT_FILE)


def load_result_set(folder: Path) -> ResultSet:
    """Read what `save_result_set` wrote. Raises ResultError naming the file and the place that is wrong."""
    document = _read_document(folder / RESULT_FILE)
    if document.get("schema") != SCHEMA or document.get("version") != SCHEMA_VERSION:
        raise ResultError(f"{RESULT_FILE} is not a {SCHEMA} of version {SCHEMA_VERSION}")
    try:
        with np.load(folder / MASKS_FILE, allow_pickle=False) as archive:
            result = _decode(ResultSet, document.get("result_set"), _Place("result_set", archive))
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise ResultError(f"{MASKS_FILE} is missing or damaged: {error}") from error
    if not isinstance(result, ResultSet):
        raise ResultError("result_set: there is none")
    return result


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ResultError(f"{RESULT_FILE} is missing: the result set was not finished") from error
    except ValueError as error:
        raise ResultError(f"{RESULT_FILE} is damaged: {error}") from error
    if not isinstance(document, dict):
        raise ResultError(f"{RESULT_FILE} holds no object")
    return document


# --- writing ---------------------------------------------------------------------------


def _encode(value: Any, arrays: dict[str, _Packed]) -> Any:
    if isinstance(value, CroppedMask | np.ndarray):
        return _encode_array(value, arrays)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _encode(getattr(value, field.name), arrays) for field in dataclasses.fields(value)}
    if isinstance(value, Enum | date):
        return value.value if isinstance(value, Enum) else value.isoformat()
    if isinstance(value, tuple | list):
        return [_encode(item, arrays) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _encode_array(mask: CroppedMask | npt.NDArray[np.float32], arrays: dict[str, _Packed]) -> dict[str, Any]:
    name = f"mask_{len(arrays)}"
    if isinstance(mask, np.ndarray):
        arrays[name] = mask
        return {"array": name}
    arrays[name] = np.packbits(mask.values, axis=None)
    return {
        "grid_shape": [int(size) for size in mask.grid_shape],
        "origin": [int(start) for start in mask.origin],
        "shape": list(mask.values.shape),
        "array": name,
    }


# --- reading ---------------------------------------------------------------------------


class _Place:
    """Where in the document a value stands, and the arrays beside it."""

    def __init__(self, path: str, arrays: Mapping[str, Any]) -> None:
        self.path = path
        self.arrays = arrays

    def at(self, step: str) -> _Place:
        """One level deeper."""
        return _Place(f"{self.path}{step}", self.arrays)

    def fail(self, problem: str) -> ResultError:
        """What to raise."""
        return ResultError(f"{self.path}: {problem}")


def _decode(kind: Any, value: Any, place: _Place) -> Any:
    """The value as the annotated type; the types are those that `bmnode.domain.results` uses."""
    origin = typing.get_origin(kind)
    if kind is CroppedMask or origin is np.ndarray:
        return _decode_mask(value, place) if kind is CroppedMask else _decode_array(value, place)
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(typing.cast("type[Any]", kind), value, place)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _decode(_without_none(kind), value, place)
    if origin is tuple:
        return _decode_tuple(typing.get_args(kind), value, place)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError as error:
            raise place.fail(f"{value!r} is none of {[member.value for member in kind]}") from error
    return _decode_plain(kind, value, place)


def _without_none(kind: Any) -> Any:
    return next(arm for arm in typing.get_args(kind) if arm is not type(None))


def _decode_plain(kind: Any, value: Any, place: _Place) -> Any:
    if kind is date and isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise place.fail(f"{value!r} is no date") from error
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind not in (str, int, float, bool) or type(value) is not kind:
        raise place.fail(f"expected {getattr(kind, '__name__', kind)}, found {type(value).__name__}")
    return value


def _decode_tuple(arms: tuple[Any, ...], value: Any, place: _Place) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise place.fail(f"expected a list, found {type(value).__name__}")
    if len(arms) == 2 and arms[1] is Ellipsis:
        arms = (arms[0],) * len(value)
    if len(arms) != len(value):
        raise place.fail(f"expected {len(arms)} values, found {len(value)}")
    return tuple(
        _decode(arm, item, place.at(f"[{index}]")) for index, (arm, item) in enumerate(zip(arms, value, strict=True))
    )


def _keys(value: Any, expected: set[str], place: _Place) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise place.fail(f"expected an object, found {type(value).__name__}")
    if unknown := sorted(set(value) - expected):
        raise place.fail(f"unknown key {unknown[0]!r}")
    if missing := sorted(expected - set(value)):
        raise place.fail(f"key {missing[0]!r} is missing")
    return value


def _decode_dataclass(kind: type[Any], value: Any, place: _Place) -> Any:
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    given = _keys(value, set(names), place)
    fields = {name: _decode(hints[name], given[name], place.at(f".{name}")) for name in names}
    try:
        return kind(**fields)
    except ValueError as error:
        raise place.fail(str(error)) from error


def _decode_array(value: Any, place: _Place) -> npt.NDArray[np.float32]:
    name = _keys(value, {"array"}, place)["array"]
    if name not in place.arrays or place.arrays[name].dtype != np.float32:
        raise place.fail(f"there is no float32 array in {MASKS_FILE}")
    return np.asarray(place.arrays[name], dtype=np.float32)


def _decode_mask(value: Any, place: _Place) -> CroppedMask:
    given = _keys(value, {"grid_shape", "origin", "shape", "array"}, place)
    three = (int, int, int)
    shape = _decode_tuple(three, given["shape"], place.at(".shape"))
    if min(shape) < 1 or given["array"] not in place.arrays:
        raise place.fail(f"the mask has no voxels or no array in {MASKS_FILE}")
    try:
        packed = place.arrays[given["array"]]
        bits = np.unpackbits(packed, count=int(np.prod(shape))).astype(np.bool_)
        return CroppedMask(
            grid_shape=typing.cast("tuple[int, int, int]", _decode_tuple(three, given["grid_shape"], place)),
            origin=typing.cast("tuple[int, int, int]", _decode_tuple(three, given["origin"], place)),
            values=bits.reshape(shape),
        )
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile, zipfile.error) as error:
        raise place.fail(f"the mask is damaged: {error}") from error
