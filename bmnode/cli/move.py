"""C-MOVE as the SCU: have a PACS send a study to this node (PS3.4 C.4.2)."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pynetdicom import AE, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made by the module's __getattr__
    StudyRootQueryRetrieveInformationModelMove,
)

from bmnode.domain.peers import Peer, check_ae_title
from bmnode.errors import NotFoundError, PeerRefusedError, PeerUnreachableError
from bmnode.tls import TlsFiles, call_by_tls

_SUCCESS = 0x0000
_PENDING = frozenset({0xFF00, 0xFF01})
_DESTINATION_UNKNOWN = 0xA801  # PS3.4 Table C.4-2
_CONNECT_S = 10.0
_ANSWER_S = 600.0
"""A PACS may say nothing while it fetches a study from its archive."""


class StudyMover:
    """Asks a peer to send a study to the node with this AE title, which the peer must know.

    Args:
        ae_title: the node's.
        tls: its certificate, for peers that are called by TLS.
    """

    def __init__(self, ae_title: str, *, tls: TlsFiles | None = None) -> None:
        self._ae_title = check_ae_title(ae_title)
        self._tls = tls

    def move(self, peer: Peer, study_uid: str) -> int:
        """The number of instances that the peer sent.

        Raises PeerUnreachableError without an association or answer, PeerRefusedError where the
        peer refuses or sent only a part, NotFoundError where it has no such study.
        """
        ae = AE(ae_title=self._ae_title)
        ae.connection_timeout = _CONNECT_S
        ae.dimse_timeout = ae.network_timeout = _ANSWER_S
        contexts = [build_context(StudyRootQueryRetrieveInformationModelMove)]
        association = ae.associate(
            peer.host, peer.port, contexts=contexts, ae_title=peer.ae_title, tls_args=call_by_tls(peer, self._tls)
        )
        if not association.is_established:
            if association.rejected_contexts:
                raise PeerRefusedError(f"peer {peer.name} does not offer C-MOVE (study root)")
            raise PeerUnreachableError(f"no association with peer {peer.name}: check host, port and AE titles")
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "STUDY"
        identifier.StudyInstanceUID = study_uid
        last = Dataset()
        try:
            for status, _ in association.send_c_move(
                identifier, self._ae_title, StudyRootQueryRetrieveInformationModelMove
            ):
                last = status
        finally:
            association.release()
        return self._judge(last, peer=peer, study_uid=study_uid)

    def _judge(self, last: Dataset, *, peer: Peer, study_uid: str) -> int:
        status = last.get("Status")
        if status is None or status in _PENDING:
            raise PeerUnreachableError(f"peer {peer.name} did not finish the C-MOVE")
        if status == _DESTINATION_UNKNOWN:
            raise PeerRefusedError(
                f"peer {peer.name} does not know the AE title {self._ae_title}; add this node there", status=status
            )
        if status != _SUCCESS:
            failed = last.get("NumberOfFailedSuboperations", "?")
            raise PeerRefusedError(
                f"peer {peer.name} answered C-MOVE with status 0x{status:04X}, {failed} instance(s) failed",
                status=status,
            )
        completed = int(last.get("NumberOfCompletedSuboperations", 0))
        if completed == 0:
            raise NotFoundError(f"peer {peer.name} has no study {study_uid}")
        return completed
