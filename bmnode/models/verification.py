"""That a bundle knew left from right: kept beside the installed bundle, and true of these very bytes alone."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from bmnode.config.edit import write_atomically
from bmnode.domain.models import SidesReport
from bmnode.models.bundle import Bundle
from bmnode.models.store import BundleStore


def note_verified(store: BundleStore, bundle: Bundle, *, report: SidesReport, at: datetime) -> None:
    """Keep that a bundle passed. Raises ValueError for a report with problems, OSError where it cannot be written."""
    if report.problems:
        raise ValueError("a bundle that did not pass is not noted as verified")
    content = {
        "digest": bundle.digest,
        "at": at.isoformat(),
        "named_share": report.named_share,
        "right_side_share": report.right_side_share,
    }
    write_atomically(_path(store, bundle), json.dumps(content, indent=2) + "\n")


def is_verified(store: BundleStore, bundle: Bundle) -> bool:
    """Whether this installed bundle, as it is now, passed. A record that cannot be read proves nothing."""
    try:
        content = json.loads(_path(store, bundle).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("digest") == bundle.digest


def _path(store: BundleStore, bundle: Bundle) -> Path:
    folder = store.folder(bundle.id)
    return folder.with_name(f"{folder.name}.verified.json")
