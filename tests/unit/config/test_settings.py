"""What the settings promise: one frozen tree, three sources, and no typing error that goes unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from bmnode.config import Settings, find_config_file, load_settings
from bmnode.config.settings import Accept, ResultSettings
from bmnode.domain.codes import Code
from bmnode.domain.objects import OutputOptions
from bmnode.domain.study import Branch
from bmnode.errors import ConfigError, NotFoundError

PACS = """
[peers.pacs]
ae_title = "PACS"
host = "127.0.0.1"
port = 104
"""


def _write(folder: Path, text: str) -> Path:
    file = folder / "bmnode.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_are_safe_for_a_first_start(tmp_path: Path) -> None:
    """Without any configuration the node listens to this machine only and keeps everything in one folder here."""
    settings = load_settings()
    assert settings.node.bind == "127.0.0.1"
    assert settings.node.data_dir == tmp_path / "bmnode-data"
    assert settings.database_url == f"sqlite:///{tmp_path}/bmnode-data/node.sqlite"
    assert settings.spool_directory == tmp_path / "bmnode-data" / "spool"
    assert settings.file is None


def test_environment_stands_above_file_and_file_above_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source replaces single keys of the one below it and leaves its neighbours."""
    file = _write(tmp_path, '[node]\nport = 11200\nae_title = "FROMFILE"\n[receive]\naccept = "configured"\n')
    monkeypatch.setenv("BMNODE__NODE__PORT", "11300")
    settings = load_settings(file)
    assert settings.node.port == 11300
    assert settings.node.ae_title == "FROMFILE"
    assert settings.receive.accept is Accept.CONFIGURED
    assert settings.node.name == "bmnode"


def test_settings_are_frozen() -> None:
    """Nobody changes a setting after it was read."""
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.node.port = 1


@pytest.mark.parametrize(
    ("text", "key", "suggestion"),
    [
        ("[node]\nporrt = 1\n", "node.porrt", "port"),
        ("[nodes]\nport = 1\n", "nodes", "node"),
        (PACS + 'hots = "x"\n', "peers.pacs.hots", "host"),
        (PACS + '[[routes]]\nname = "a"\ndestinations = ["pacs"]\nmodality = []\n', "routes.0.modality", "modalities"),
    ],
)
def test_unknown_key_names_file_key_and_nearest(tmp_path: Path, text: str, key: str, suggestion: str) -> None:
    """A typing error at any depth is refused with the file, the key and the name that was meant."""
    file = _write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    message = str(caught.value)
    assert str(file) in message
    assert repr(key) in message
    assert f"did you mean {suggestion!r}?" in message


@pytest.mark.parametrize(
    ("variable", "value", "suggestion"),
    [("BMNODE__NODE__PRT", "1", "port"), ("BMNODE__NOED__PORT", "1", "node"), ("BMNODE__NODE__PORT", "high", "")],
)
def test_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, suggestion: str) -> None:
    """What is wrong in the environment is reported with the variable, not with the file."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=f"environment variable {variable}.*{suggestion}"):
        load_settings()


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """An administrator mends the file once, not once a mistake."""
    file = _write(tmp_path, '[node]\nport = 0\nae_title = "SEVENTEEN-LETTERS"\n')
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[routes]]\nname = "a"\ndestinations = ["pasc"]\n', "unknown peer 'pasc', did you mean 'pacs'?"),
        ('[[routes]]\nname = "a"\ndestinations = ["pacs"]\nlabel_in = "pacs"\n', "has no rest_url"),
        ('[[routes]]\nname = "a"\ndestinations = ["pacs"]\ndescription = "("\n', "not a regular expression"),
        ('[[routes]]\nname = "a"\ndestinations = []\n', "routes.0.destinations"),
        ('[[routes]]\nname = "a"\ndestinations = ["pacs"]\n' * 2, "two routes are named 'a'"),
        ('[peers.x]\nae_title = "X"\nhost = "h"\nport = 1\nrest_user = "u"\n', "need a rest_url"),
        ('[priors]\narchives = ["pacs"]\nretrieve = "wado-rs"\n', "peer 'pacs' has no dicomweb_url"),
        ("[assembly]\nquiet_s = 100\nceiling_s = 10\n", "is below quiet_s"),
        ("[retention]\nuntil_free_mb = 10000\n", "needs a below_free_mb"),
        ("[retention]\nbelow_free_mb = 2048\n", "is not above [spool] min_free_mb"),
        ("[delivery]\nfirst_retry_s = 100\nlongest_retry_s = 10\n", "is below first_retry_s"),
        ("[node\n", "is not TOML"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """A tree that cannot work is never handed out."""
    with pytest.raises(ConfigError) as caught:
        load_settings(_write(tmp_path, PACS + text))
    assert message in str(caught.value)


def test_relative_paths_hang_on_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command means the same data folder from wherever it is started."""
    folder = tmp_path / "etc"
    folder.mkdir()
    file = _write(folder, '[node]\ndata_dir = "data"\n[log]\nfile = "logs/node.log"\n[spool]\ndirectory = "/var/x"\n')
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = load_settings(file)
    assert settings.node.data_dir == folder / "data"
    assert settings.log.file == folder / "logs" / "node.log"
    assert settings.spool_directory == Path("/var/x")


def test_empty_text_leaves_an_optional_key_at_its_default(tmp_path: Path) -> None:
    """TOML has no null: an empty value means that the key is not given."""
    assert load_settings(_write(tmp_path, '[database]\nurl = ""\n')).database.url is None


def test_files_are_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option stands above the variable, the variable above the current folder."""
    here = _write(tmp_path, "")
    named, given = tmp_path / "named.toml", tmp_path / "given.toml"
    named.touch()
    given.touch()
    assert find_config_file() == here
    monkeypatch.setenv("BMNODE_CONFIG", str(named))
    assert find_config_file() == named
    assert find_config_file(given) == given


def test_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The node never starts on defaults when a file was asked for."""
    with pytest.raises(ConfigError, match="config init"):
        find_config_file(tmp_path / "no.toml")


def test_routes_and_peers_come_typed(tmp_path: Path) -> None:
    """What the services are given needs no further reading."""
    file = _write(tmp_path, PACS + '[[routes]]\nname = "a"\nbranches = ["ct"]\ndestinations = ["pacs"]\n')
    settings = load_settings(file)
    assert settings.routes[0].branches == (Branch.CT,)
    assert settings.peer("pacs").port == 104


def test_unknown_peer_names_the_nearest(tmp_path: Path) -> None:
    """A typing error on the command line is answered with the name that was meant."""
    with pytest.raises(NotFoundError, match="did you mean 'pacs'"):
        load_settings(_write(tmp_path, PACS)).peer("pcas")


def test_equal_sources_give_equal_settings(tmp_path: Path) -> None:
    """Two reads of one file are one tree: a process may compare what another was started with."""
    file = _write(tmp_path, PACS)
    assert isinstance(load_settings(file), Settings)
    assert load_settings(file) == load_settings(file)


def test_results_settings_reach_the_writer() -> None:
    """What is written as `[results]` is what the writer is told; the defaults are the writer's own."""
    assert Settings().results.output == OutputOptions()
    changed = Settings(
        results=ResultSettings(
            fictitious_planar_geometry=True, algorithm_purpose_code="1", algorithm_purpose_scheme="99X"
        )
    )
    purpose = Code("1", "99X", "Processing Algorithm")
    assert changed.results.output == OutputOptions(fictitious_planar_geometry=True, algorithm_purpose=purpose)
