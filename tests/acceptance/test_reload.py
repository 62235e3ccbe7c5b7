"""A running node takes a changed configuration, and no association is lost by it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from bmnode.cli.entry import main
from bmnode.clock import SystemClock
from bmnode.config.edit import add_peer
from bmnode.domain.peers import Peer
from bmnode.storage import AuditTrail, Database
from bmnode.testing.node import NodePlan, NodeProcess
from bmnode.testing.ports import LOOPBACK, free_ports
from tests.support.acceptor import store
from tests.support.encoded import EncodedInstance, encoded_ct
from tests.support.polling import eventually
from tests.support.raw_peer import RawPeer, RejectedError

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]


def _peer(ae_title: str) -> Peer:
    return Peer(name=ae_title.lower(), ae_title=ae_title, host=LOOPBACK, port=free_ports(1)[0])


def _associate(plan: NodePlan, item: EncodedInstance, calling_ae: str) -> RawPeer:
    contexts = [(item.sop_class_uid, (item.transfer_syntax_uid,))]
    return RawPeer(plan.port, contexts=contexts, calling_ae=calling_ae)


def _count(database: Database, event: str) -> int:
    with database.read() as connection:
        return [entry.event for entry in AuditTrail(connection).entries()].count(event)


def test_peers_change_while_an_association_is_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A new peer is let in after `config apply`; who was sending goes on; a broken file keeps the old one."""
    images = encoded_ct(tmp_path / "ct", count=4)
    plan = NodePlan(
        folder=tmp_path / "node",
        peers=(_peer("CHECK"), _peer("SCANNER")),
        sections={"receive": {"accept": "configured"}, "assembly": {"quiet_s": 600.0}},
    )
    with NodeProcess(plan, clock=SystemClock()) as node, _associate(plan, images[0], "SCANNER") as sending:
        assert store(sending, images[0]) == 0x0000
        with pytest.raises(RejectedError):
            _associate(plan, images[0], "OTHER")
        add_peer(plan.config_file, _peer("OTHER"))
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(plan.config_file), "config", "apply", "--json"])
        told = json.loads(capsys.readouterr().out)["parts"]
        assert ended.value.code in {None, 0}
        assert {(item["part"], item["applied"], tuple(item["changed"])) for item in told} == {
            ("listener", True, ("peers",)),
            ("worker", True, ("peers",)),
        }
        assert store(sending, images[1]) == 0x0000
        with _associate(plan, images[0], "OTHER") as other:
            assert store(other, images[2]) == 0x0000
        database = Database(plan.settings.database_url)
        plan.config_file.write_text("[nonsense]\n", encoding="utf-8")
        os.kill(node.pid, signal.SIGHUP)
        eventually(lambda: _count(database, "configuration_refused") == 2, timeout_s=60)
        assert _count(database, "configuration_applied") == 2
        database.dispose()
        assert store(sending, images[3]) == 0x0000
        _associate(plan, images[0], "OTHER").release()
        sending.release()
