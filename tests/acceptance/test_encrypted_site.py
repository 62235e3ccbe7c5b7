"""A site that encrypts: DCMTK's tools send a study to a running node, and take its results, over TLS alone."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bmnode.clock import SystemClock
from bmnode.domain.peers import Peer
from bmnode.testing.node import NodePlan, NodeProcess
from bmnode.testing.patients import PatientSpec, write_chest_xray
from bmnode.testing.patients.spec import SyntheticStudy
from bmnode.testing.ports import LOOPBACK, free_ports
from bmnode.tls import TlsFiles
from tests.support.certificates import Authority
from tests.support.polling import eventually
from tests.support.tools import dcmtk_environment, dcmtk_tls, storescp

DELIVERED_S = 120.0

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]


@dataclass(frozen=True, kw_only=True)
class Site:
    """A node that takes TLS alone, an archive that does, and the certificates of both."""

    plan: NodePlan
    kept: Path
    authority: Authority
    study: SyntheticStudy
    storescu: Path

    def send(self, *options: str) -> int:
        """DCMTK's exit code after sending the study with these options."""
        command: list[str | Path] = [
            self.storescu,
            *options,
            "-aet",
            "SCANNER",
            "-aec",
            "BMNODE",
            LOOPBACK,
            str(self.plan.port),
        ]
        done = subprocess.run(
            [*command, *self.study.files], env=dcmtk_environment(), capture_output=True, timeout=60, check=False
        )
        return done.returncode

    def told(self) -> list[dict[str, object]]:
        """The exported trail: messages of PS3.15 A.5."""
        file = self.plan.folder / "audit.jsonl"
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []


def _section(files: TlsFiles) -> dict[str, str]:
    named = {"certificate": files.certificate, "key": files.key, "authorities": files.authorities}
    return {"listen": "required", **{key: str(file) for key, file in named.items()}}


@pytest.fixture
def site(tmp_path: Path, storescu: Path) -> Iterator[Site]:
    """Everything runs."""
    authority = Authority(folder=tmp_path / "pki")
    ours, archive = authority.issue("bmnode"), authority.issue("archive", hosts=["archive.example.org"])
    port = free_ports(1)[0]
    peer = Peer(
        name="archive",
        ae_title="ARCHIVE",
        host=LOOPBACK,
        port=port,
        tls=True,
        certificate_name="archive.example.org",
    )
    sections = {"tls": _section(ours), "audit": {"file": "audit.jsonl"}}
    plan = NodePlan(folder=tmp_path / "node", peers=(peer,), sections=sections)
    study = write_chest_xray(tmp_path / "study", spec=PatientSpec(seed=3, patient_id="SYN-TLS"))
    with (
        storescp(archive, tmp_path / "kept", port=port),
        NodeProcess(plan, clock=SystemClock(), tls=authority.issue("check")),
    ):
        yield Site(plan=plan, kept=tmp_path / "kept", authority=authority, study=study, storescu=storescu)


def test_a_study_comes_and_its_report_goes_encrypted(site: Site) -> None:
    """From storescu to storescp through the node; in clear text, or with a stranger's certificate, nothing comes."""
    stranger = Authority(folder=site.plan.folder / "strangers", name="stranger").issue("scanner")
    assert site.send() != 0
    assert site.send(*dcmtk_tls(replace(stranger, authorities=site.authority.file))) != 0
    assert site.send(*dcmtk_tls(site.authority.issue("late", days=(-10, -1)))) != 0
    assert site.send(*dcmtk_tls(site.authority.issue("scanner"))) == 0
    eventually(lambda: any(site.kept.iterdir()), timeout_s=DELIVERED_S)
    for reason in ("clear_text_on_tls_port", "unable to get local issuer certificate", "certificate has expired"):
        eventually(lambda: _is_alerted(site, reason), timeout_s=30)  # noqa: B023 - asked before the next round


def _is_alerted(site: Site, reason: str) -> bool:
    """Whether the exported trail has a Security Alert (PS3.15 A.5, code 110113 of DCM) that names the reason."""
    wanted = ("connection_refused", "110113", b64encode(reason.encode()).decode())
    return any(all(part in str(line["message"]) for part in wanted) for line in site.told())
