"""Who implements, as every file and association of bmnode says (PS3.7 D.3.3.2)."""

from __future__ import annotations

from bmnode import MODEL_NAME
from bmnode.domain.ids import derive_uid

IMPLEMENTATION_CLASS_UID = derive_uid("implementation class", MODEL_NAME)
IMPLEMENTATION_VERSION_NAME = "BMNODE_0"
"""At most 16 characters."""
