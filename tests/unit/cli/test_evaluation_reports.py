"""Reports of evaluations, as people and scripts read them."""

from __future__ import annotations

import dataclasses
import json

import pytest

from bmnode.cli.documents import KINDS
from bmnode.cli.evaluation_reports import tell_matching, tell_models, tell_registration
from bmnode.domain.evaluations import Masks, Verdict
from bmnode.domain.matching_evaluations import MatchingReport, MatchingRow
from bmnode.domain.model_evaluations import CohortCount, ModelFigure, ModelReport, ModelRow
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


@pytest.fixture
def modelled() -> ModelReport:
    """A model below its target, and a quantity that nobody could judge."""
    open_row = ModelRow(
        cohort="few",
        quantity="patient AUC",
        view="ANT",
        group="all",
        unit="1",
        thresholds=ModelFigure(value=None, interval=None, n=3),
        target="0.9 or more",
        verdict=Verdict.NOT_EVALUABLE,
    )
    missed = dataclasses.replace(
        open_row,
        quantity="lesion Dice",
        thresholds=ModelFigure(value=0.5, interval=(0.25, 0.75), n=12),
        model=ModelFigure(value=0.4, interval=None, n=12),
        published="[1]: .9",
        verdict=Verdict.MISSED,
    )
    cohort = CohortCount(name="few", seed=7, patients=3, refused=1, not_used=1)
    return ModelReport(model="test 1.0.0", pipeline="1+0", cohorts=(cohort,), rows=(missed, open_row))


def test_a_model_stands_beside_the_thresholds(modelled: ModelReport, capsys: pytest.CaptureFixture[str]) -> None:
    """People see both figures, what was published, what was missed, and on how many scans the model was not used."""
    tell_models(modelled, as_json=False)
    text = capsys.readouterr().out
    assert text.startswith("SIMULATED")
    for word in ("0.500 (0.25 to 0.75)", "0.400", "[1]: .9", "not evaluable", "missed: lesion Dice, ANT"):
        assert word in text
    assert "refused 1; measured without the model 1" in text
    assert text.strip().splitlines()[-1] == modelled.summary
    assert "lesion Dice, ANT 0.40 (0.50); patient AUC, ANT - (-)" in modelled.summary


def test_scripts_read_both_figures(modelled: ModelReport, capsys: pytest.CaptureFixture[str]) -> None:
    """Null where there is none, and never 0."""
    tell_models(modelled, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert set(said["rows"][0]) == set(KINDS["model_row"])
    assert said["rows"][0]["model"] == {"value": 0.4, "interval": None, "n": 12}
    assert (said["rows"][1]["model"], said["rows"][1]["thresholds"]["value"]) == (None, None)
    assert said["simulated"] is True


def test_a_target_that_nobody_could_judge_is_not_met(modelled: ModelReport) -> None:
    """Neither is one of a report without a model: the command exits 1."""
    met = dataclasses.replace(modelled.rows[0], verdict=Verdict.MET)
    assert dataclasses.replace(modelled, rows=(met,)).is_met
    assert not dataclasses.replace(modelled, rows=(met, modelled.rows[1])).is_met
    assert not dataclasses.replace(modelled, rows=()).is_met
