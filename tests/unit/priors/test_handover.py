"""What a job is told of earlier examinations survives the folder, and a damaged folder is an error of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.codes import Concept, Derivation, Unit
from bmnode.domain.results import BurdenPoint, Measurement
from bmnode.errors import InputError
from bmnode.priors.burden import EarlierBurden
from bmnode.priors.handover import (
    PRIORS_FILE,
    Considered,
    PriorInput,
    PriorRole,
    PriorStudy,
    SearchOutcome,
    read_prior_input,
    write_prior_input,
)

PRIOR = PriorStudy(
    study_uid="1.2",
    performed_on=date(2026, 1, 4),
    days_before=120,
    roles=(PriorRole.LATEST, PriorRole.BASELINE),
    images=(Path("prior/1.2/images/1.2.1.dcm"),),
    results=(Path("prior/1.2/results/2.25.1.dcm"),),
    reviews=(Path("prior/1.2/reviews/1.2.9.dcm"),),
    caveats=("The tracer of one of the two examinations is not stated.",),
)
TOLD = PriorInput(
    study_uid="1.9",
    outcome=SearchOutcome.FOUND,
    explanation="2 examinations were considered, 1 comparable; not comparable: 1 too_old.",
    considered=(
        Considered(study_uid="1.2", place="pacs", performed_on=date(2026, 1, 4)),
        Considered(study_uid="1.1", place="node", objection="too_old"),
    ),
    priors=(PRIOR,),
)


def test_what_is_written_is_read_again_with_absolute_paths(tmp_path: Path) -> None:
    """Every part comes back, and a path can be opened wherever the reader stands."""
    write_prior_input(TOLD, tmp_path)
    read = read_prior_input(tmp_path)
    assert read.priors[0].images == (tmp_path / "prior/1.2/images/1.2.1.dcm",)
    assert read.priors[0].results == (tmp_path / "prior/1.2/results/2.25.1.dcm",)
    assert read.priors[0].reviews == (tmp_path / "prior/1.2/reviews/1.2.9.dcm",)
    assert (read.considered, read.outcome, read.explanation) == (TOLD.considered, TOLD.outcome, TOLD.explanation)
    assert read.prior(PriorRole.BASELINE) == read.prior(PriorRole.LATEST) == read.priors[0]
    assert read.prior(PriorRole.NADIR) is None
    assert (read.priors[0].performed_on, read.priors[0].caveats) == (PRIOR.performed_on, PRIOR.caveats)


def test_the_history_comes_back_number_by_number(tmp_path: Path) -> None:
    """Value, unit, method and derivation of each; a folder of an older version has none."""
    number = Measurement(
        concept=Concept.SUV_BW, value=0.1 + 0.2, unit=Unit.SUV_BW, method="M_V1", derivation=Derivation.MAXIMUM
    )
    plain = replace(number, derivation=None)
    point = BurdenPoint(studied_on=date(2025, 3, 1), measurements=(number, plain), synthetic=True)
    history = (EarlierBurden(study_uid="1.2", point=point),)
    write_prior_input(replace(TOLD, history=history), tmp_path)
    assert read_prior_input(tmp_path).history == history
    body = json.loads((tmp_path / PRIORS_FILE).read_text())
    del body["history"]
    (tmp_path / PRIORS_FILE).write_text(json.dumps(body))
    assert read_prior_input(tmp_path).history == ()


def test_every_candidate_gets_a_sentence() -> None:
    """None is left out of the SR, and each is told with day, place and verdict."""
    assert TOLD.sentences() == (
        "2 examinations were considered, 1 comparable; not comparable: 1 too_old.",
        "Earlier examination of 2026-01-04 (pacs): comparable.",
        "Earlier examination of an unknown day (node): not compared (too_old).",
    )


@pytest.mark.parametrize("name", ["/etc/passwd", "prior/../../else.dcm", "else/1.dcm", ""])
def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    """The folder is all that a job is given."""
    write_prior_input(TOLD, tmp_path)
    body = json.loads((tmp_path / PRIORS_FILE).read_text())
    body["priors"][0]["images"] = [name]
    (tmp_path / PRIORS_FILE).write_text(json.dumps(body))
    with pytest.raises(InputError):
        read_prior_input(tmp_path)


@given(cut=st.integers(min_value=0, max_value=400))
def test_a_cut_file_is_an_error_of_the_input(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """A damaged folder never reads as "there is no prior"."""
    folder = tmp_path_factory.mktemp("cut")
    write_prior_input(TOLD, folder)
    text = (folder / PRIORS_FILE).read_text()
    (folder / PRIORS_FILE).write_text(text[:cut])
    with pytest.raises(InputError):
        read_prior_input(folder)


def test_an_unfinished_folder_is_an_error_of_the_input(tmp_path: Path) -> None:
    """Without the file that is written last nothing is believed."""
    with pytest.raises(InputError):
        read_prior_input(tmp_path)


def test_what_contradicts_itself_is_refused() -> None:
    """Found without a prior, none with one, a role twice: none can be made."""
    with pytest.raises(ValueError, match="if and only if"):
        PriorInput(study_uid="1.9", outcome=SearchOutcome.FOUND, explanation="none")
    with pytest.raises(ValueError, match="if and only if"):
        PriorInput(study_uid="1.9", outcome=SearchOutcome.NONE_COMPARABLE, explanation="none", priors=(PRIOR,))
    with pytest.raises(ValueError, match="one earlier examination"):
        PriorInput(study_uid="1.9", outcome=SearchOutcome.FOUND, explanation="some", priors=(PRIOR, PRIOR))
