"""What editing promises: comments stay, nothing else changes, and a bad edit leaves the file as it was."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bmnode.config.edit import add_peer, remove_peer, write_atomically
from bmnode.config.sources import load_settings
from bmnode.domain.objects import ResultKind, SegEncoding
from bmnode.domain.peers import Peer
from bmnode.errors import ConfigError, NotFoundError

TEXT = """\
# our node
[node]
port = 11200  # asked for by the network group

[peers.pacs]  # the archive
ae_title = "PACS"
host = "pacs.example.org"
port = 104

[[routes]]
name = "all"
destinations = ["pacs"]
"""
SCANNER = Peer(name="gamma.1", ae_title="GAMMA1", host="192.0.2.4", port=104)
ORTHANC = Peer(
    name="orthanc",
    ae_title="ORTHANC",
    host="192.0.2.5",
    port=4242,
    rest_url="http://192.0.2.5:8042",
    rest_user="bmnode",
    rest_password_env="ORTHANC_PASSWORD",  # noqa: S106 - the name of a variable
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file as an administrator wrote it."""
    file = tmp_path / "bmnode.toml"
    file.write_text(TEXT, encoding="utf-8")
    return file


ALBUM = Peer(
    name="album",
    ae_title="ALBUM",
    host="192.0.2.6",
    port=104,
    objects=(ResultKind.SR, ResultKind.SC),
    seg_encodings=(SegEncoding.LABELMAP, SegEncoding.BINARY),
)


@pytest.mark.parametrize("peer", [SCANNER, ORTHANC, ALBUM])
def test_added_peer_is_read_back(file: Path, peer: Peer) -> None:
    """What was added is what the node reads at its next start."""
    add_peer(file, peer)
    assert load_settings(file).peer(peer.name) == peer


def test_every_line_of_the_administrator_stays(file: Path) -> None:
    """Comments, order and spacing survive."""
    add_peer(file, SCANNER)
    remaining = iter(file.read_text(encoding="utf-8").splitlines())
    assert all(line in remaining for line in TEXT.splitlines())


def test_adding_and_removing_leaves_the_other_peers(file: Path) -> None:
    """A removed peer is gone, and only it."""
    add_peer(file, SCANNER)
    add_peer(file, ORTHANC)
    remove_peer(file, SCANNER.name)
    assert set(load_settings(file).peers) == {"pacs", "orthanc"}


def test_peers_may_stand_on_both_sides_of_the_routes(file: Path) -> None:
    """TOML lets tables of one kind lie apart; editing keeps them all."""
    file.write_text(TEXT + '[peers.late]\nae_title = "LATE"\nhost = "h"\nport = 1\n', encoding="utf-8")
    add_peer(file, SCANNER)
    remove_peer(file, "late")
    assert set(load_settings(file).peers) == {"pacs", SCANNER.name}


def test_peer_of_a_route_is_not_removed(file: Path) -> None:
    """The node can always start with the file that an edit leaves."""
    with pytest.raises(ConfigError, match="route 'all' names the unknown peer"):
        remove_peer(file, "pacs")
    assert file.read_text(encoding="utf-8") == TEXT


def test_missing_peer_can_be_added_after_its_route(file: Path) -> None:
    """A file that does not load for want of a peer is mended by adding the peer."""
    file.write_text(TEXT.replace('["pacs"]', '["pacs", "gamma.1"]'), encoding="utf-8")
    add_peer(file, SCANNER)
    assert load_settings(file).routes[0].destinations == ("pacs", SCANNER.name)


def test_file_that_is_no_toml_is_left_alone(file: Path) -> None:
    """What cannot be read is not written."""
    file.write_text("[node\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not TOML"):
        add_peer(file, SCANNER)
    assert file.read_text(encoding="utf-8") == "[node\n"


def test_second_peer_of_a_name_is_refused(file: Path) -> None:
    """Adding never overwrites."""
    with pytest.raises(ConfigError, match="already"):
        add_peer(file, Peer(name="pacs", ae_title="OTHER", host="h", port=1))
    assert file.read_text(encoding="utf-8") == TEXT


def test_unknown_peer_cannot_be_removed(file: Path) -> None:
    """A typing error is answered with the name that was meant."""
    with pytest.raises(NotFoundError, match="did you mean 'pacs'"):
        remove_peer(file, "pasc")


def test_peers_written_in_one_line_are_left_alone(file: Path) -> None:
    """A style that cannot be edited is said so, not mangled."""
    text = 'peers = { pacs = { ae_title = "PACS", host = "h", port = 1 } }\n'
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="by hand"):
        add_peer(file, SCANNER)
    assert file.read_text(encoding="utf-8") == text


def test_rights_stay_and_no_temporary_is_left(file: Path) -> None:
    """A file that only its owner may read stays so."""
    file.chmod(0o600)
    add_peer(file, SCANNER)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """Text that cannot be encoded ends in an error, with the old content whole and no temporary beside it."""
    file = tmp_path / "a.toml"
    file.write_text("old", encoding="utf-8")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "new \ud800")
    assert file.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [file]
