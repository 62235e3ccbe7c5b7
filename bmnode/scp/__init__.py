"""The acceptor: C-STORE and C-ECHO as the SCP."""

from bmnode.scp.options import AcceptorOptions
from bmnode.scp.server import Acceptor

__all__ = ["Acceptor", "AcceptorOptions"]
