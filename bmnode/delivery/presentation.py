"""Which presentation contexts a batch of files needs, and which accepted one carries a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

MAX_CONTEXTS = 128
"""Presentation context IDs are the odd numbers of one byte (PS3.8 9.3.2.2)."""

SyntaxPair = tuple[str, str]
"""(SOP Class UID, Transfer Syntax UID): one presentation context that offers one transfer syntax."""

_CONVERTIBLE = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless})
"""What becomes plain without a pixel changing and without a decoder of another package."""
PLAIN_SYNTAXES = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """One file to send, as its headers describe it."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str

    @classmethod
    def from_file(cls, path: Path) -> Outgoing:
        """Read the identifiers. Raises ValueError where the file is no DICOM file or lacks one of them."""
        try:
            header = dcmread(path, specific_tags=["SOPClassUID", "SOPInstanceUID"], stop_before_pixels=True)
            return cls(
                path=path,
                sop_class_uid=str(header.SOPClassUID),
                sop_instance_uid=str(header.SOPInstanceUID),
                transfer_syntax_uid=str(header.file_meta.TransferSyntaxUID),
            )
        except (InvalidDicomError, AttributeError, EOFError, OSError) as error:
            raise ValueError(f"not a DICOM file with its identifiers: {path.name}") from error

    @property
    def pairs(self) -> tuple[SyntaxPair, ...]:
        """The contexts worth proposing, the best first.

        What is not compressed may change its VR encoding without changing a value; what is
        compressed goes as it is or not at all, but for RLE Lossless, which is decoded where the
        peer does not take it. A deflated file is inflated on the way where the peer takes it so:
        archives hand on what they get, and more viewers read it plain. Each context offers one transfer syntax, so
        that the peer's answer says which it takes.
        """
        own = (self.sop_class_uid, self.transfer_syntax_uid)
        if self.transfer_syntax_uid not in _CONVERTIBLE:
            return (own,)
        others = tuple((self.sop_class_uid, uid) for uid in PLAIN_SYNTAXES if uid != self.transfer_syntax_uid)
        if self.transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
            return (others[0], own, *others[1:])
        return (own, *others)

    def choose(self, accepted: Iterable[SyntaxPair]) -> str | None:
        """The transfer syntax to send in, or None where the peer accepted none that fits."""
        taken = set(accepted)
        return next((syntax for sop_class, syntax in self.pairs if (sop_class, syntax) in taken), None)


def batches(objects: Sequence[Outgoing]) -> Iterator[tuple[tuple[Outgoing, ...], tuple[SyntaxPair, ...]]]:
    """Split into associations of at most 128 contexts, keeping the order: nearly always a single one.

    Yields (the objects, the contexts to propose for them).
    """
    batch: list[Outgoing] = []
    pairs: dict[SyntaxPair, None] = {}
    for item in objects:
        wanted = dict.fromkeys(item.pairs)
        if batch and len(pairs | wanted) > MAX_CONTEXTS:
            yield tuple(batch), tuple(pairs)
            batch, pairs = [], {}
        batch.append(item)
        pairs |= wanted
    if batch:
        yield tuple(batch), tuple(pairs)
