"""Reports of evaluations, as people and scripts read them."""

from __future__ import annotations

import json

import pytest

from bmnode.cli.documents import KINDS
from bmnode.cli.evaluation_reports import tell_matching, tell_registration
from bmnode.domain.evaluations import Masks, Verdict
from bmnode.domain.matching_evaluations import MatchingReport, MatchingRow
from bmnode.domain.registration_evaluations import RegistrationReport, RegistrationRow

HEAD = {"cohort": "few", "seed": 7, "pairs": 2, "version": "RULE_V1"}


@pytest.fixture
def registered() -> RegistrationReport:
    """A method that missed its target, and one without figures."""
    ours = RegistrationRow(
        modality="ct",
        method="ours",
        pairs=2,
        refused=1,
        error_mm=0.5,
        worse_than_rigid=0,
        target="no pair refused",
        verdict=Verdict.MISSED,
    )
    rigid = RegistrationRow(modality="ct", method="rigid", pairs=2, refused=0, not_evaluable={"nothing shared": 2})
    return RegistrationReport(cohort="few", seed=7, pairs=2, version="RULE_V1", rows=(ours, rigid))


@pytest.fixture
def matched() -> MatchingReport:
    """A rule that met its target; a link of four is missing, and a lesion that is new was said to be a part."""
    row = MatchingRow(
        modality="ct",
        masks=Masks.TRUE,
        method="RULE_V1",
        scans=2,
        refused=0,
        true=4,
        proposed=3,
        right=3,
        precision=1.0,
        recall=0.75,
        events={"new": {"split": 1}, "persistent": {"persistent": 6}},
        target="F1 of 0.5",
        verdict=Verdict.MET,
    )
    return MatchingReport(cohort="few", seed=7, pairs=2, version="RULE_V1", rows=(row,))


def test_scripts_read_every_figure_of_a_registration(
    registered: RegistrationReport, capsys: pytest.CaptureFixture[str]
) -> None:
    """The documented keys, that it is simulated, and null where there is no figure."""
    tell_registration(registered, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert {key: said[key] for key in HEAD} == HEAD
    assert (said["simulated"], said["summary"]) == (True, registered.summary)
    ours, rigid = said["rows"]
    assert set(ours) == set(KINDS["registration_row"])
    assert (ours["error_mm"], ours["worse_than_rigid"], ours["verdict"]) == (0.5, 0, "missed")
    assert (rigid["error_mm"], rigid["not_evaluable"]) == (None, {"nothing shared": 2})


def test_scripts_read_every_figure_of_a_matching(matched: MatchingReport, capsys: pytest.CaptureFixture[str]) -> None:
    """Likewise; the table of events is there by what was, then by what was said."""
    tell_matching(matched, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert {key: said[key] for key in HEAD} == HEAD
    assert (said["simulated"], said["summary"]) == (True, matched.summary)
    (row,) = said["rows"]
    assert set(row) == set(KINDS["matching_row"])
    assert (row["true"], row["proposed"], row["right"], row["f1"]) == (4, 3, 3, None)
    assert row["events"] == {"new": {"split": 1}, "persistent": {"persistent": 6}}


def test_people_are_told_what_is_simulated_and_what_was_missed(
    registered: RegistrationReport, matched: MatchingReport, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first line says what it is, the last gives the figures; a missed target is named; no figure is no zero."""
    tell_registration(registered, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("SIMULATED")
    assert lines[-1] == registered.summary
    assert "missed: ct ours: the target is no pair refused" in lines
    (rigid,) = (cells for line in lines if (cells := line.split())[:2] == ["ct", "rigid"])
    assert rigid == ["ct", "rigid", "2", "0", *["-"] * 9, "2", "nothing", "shared", "reported"]
    tell_matching(matched, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("SIMULATED")
    assert lines[-1] == matched.summary
    assert ["new", "0", "1"] in [line.split() for line in lines]
    assert ["persistent", "6", "0"] in [line.split() for line in lines]
