"""A bundle that was looked through: every file is the one that its metadata list, and they agree with each other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bmnode.domain.models import BundleFault, BundleId, EvaluationReport, InputContract
from bmnode.errors import BundleRefusedError
from bmnode.models.inference_config import InferenceConfig
from bmnode.models.layout import CARD, EVALUATION, INFERENCE, METADATA, REQUIRED, WEIGHTS, list_files
from bmnode.models.metadata import Metadata, check_card, read_evaluation
from bmnode.models.weights import weight_shapes

_FAULT_OF_MISSING: Mapping[str, BundleFault] = {CARD: BundleFault.CARD, EVALUATION: BundleFault.EVALUATION}


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """A whole bundle.

    Args:
        digest: SHA-256, in hex, of `configs/metadata.json`; since that lists every other file, of all of it.
        size_bytes: of all files.
        shapes: of the weights, by name.
    """

    folder: Path
    digest: str
    size_bytes: int
    metadata: Metadata
    inference: InferenceConfig
    evaluation: EvaluationReport
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def id(self) -> BundleId:
        """Name and version."""
        return self.metadata.id

    @property
    def contract(self) -> InputContract:
        """What the model saw in training."""
        return self.metadata.facts.contract

    @property
    def weights(self) -> Path:
        """The file of the weights."""
        return self.folder / WEIGHTS

    @classmethod
    def from_folder(cls, folder: Path) -> Bundle:
        """Read and check all of it.

        Raises BundleRefusedError with the first `BundleFault` that is found: kinds of files first, then their digests,
        then what they say.
        """
        files = list_files(folder)
        for name in REQUIRED:
            if name not in files:
                raise BundleRefusedError(f"there is no {name}", fault=_FAULT_OF_MISSING.get(name, BundleFault.MISSING))
        metadata = Metadata.from_file(folder / METADATA)
        _check_digests(folder, files, listed=metadata.facts.files)
        check_card(folder / CARD)
        inference = InferenceConfig.from_file(folder / INFERENCE)
        _check_channels(metadata, inference)
        return cls(
            folder=folder,
            digest=file_digest(folder / METADATA),
            size_bytes=sum((folder / name).stat().st_size for name in files),
            metadata=metadata,
            inference=inference,
            evaluation=read_evaluation(folder / EVALUATION),
            shapes=weight_shapes(folder / WEIGHTS),
        )


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_digests(folder: Path, files: Sequence[str], *, listed: Mapping[str, str]) -> None:
    """Every file but the metadata themselves is listed, is there, and is what was listed."""
    there = set(files) - {METADATA}
    for name in sorted(listed.keys() - there):
        raise BundleRefusedError(f"{name} is listed and not there", fault=BundleFault.MISSING)
    for name in sorted(there):
        if name not in listed:
            raise BundleRefusedError(f"{name} is there and not listed", fault=BundleFault.UNLISTED)
        if file_digest(folder / name) != listed[name]:
            raise BundleRefusedError(f"{name} is not the file that metadata.json lists", fault=BundleFault.DIGEST)


def _check_channels(metadata: Metadata, inference: InferenceConfig) -> None:
    described = len(metadata.facts.contract.channels)
    for name, count in metadata.channels.items():
        if not count == described == inference.channels:
            raise BundleRefusedError(
                f"the input {name!r} has {count} channel(s), the contract describes {described}, the network takes "
                f"{inference.channels}",
                fault=BundleFault.CHANNELS,
            )
