"""What a job is told of an earlier scan, as small as the readers take it, and what a refused comparison looks like."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from bmnode.domain.follow_up_codes import Compared, FollowUp
from bmnode.domain.results import Outcome, ResultSet
from bmnode.domain.study import Branch
from bmnode.priors.handover import PriorInput, PriorRole, PriorStudy, SearchOutcome, write_prior_input
from operators.graph.contract import StudyInput
from tests.support.tiny_ct import write_tiny_ct
from tests.unit.follow_up.pairs import study_of

PRIOR, PRESENT = "1.2.30", "1.2.20"


def present(folder: Path | None) -> StudyInput:
    study = study_of(PRESENT)
    return replace(study, request=replace(study.request, priors_dir=folder))


def alone() -> ResultSet:
    return ResultSet(study_uid=PRESENT, outcome=Outcome.ASSESSED, branch=Branch.CT, input_series_uids=(f"{PRESENT}.1",))


def write_prior(folder: Path, *, results: bool, **values: Any) -> Path:
    """A tiny CT as prior, and a result object that is damaged where `results`."""
    images = folder / "prior" / PRIOR / "images"
    slices = write_tiny_ct(images, PRIOR, **values)
    damaged = folder / "prior" / PRIOR / "results" / "seg-1.dcm"
    if results:
        damaged.parent.mkdir()
        damaged.write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    prior = PriorStudy(
        study_uid=PRIOR,
        performed_on=date(2026, 1, 1),
        days_before=90,
        roles=(PriorRole.LATEST,),
        images=tuple(path.relative_to(folder) for path in sorted(slices)),
        results=(damaged.relative_to(folder),) if results else (),
    )
    told = PriorInput(study_uid=PRESENT, outcome=SearchOutcome.FOUND, explanation="One was found.", priors=(prior,))
    write_prior_input(told, folder)
    return folder


def assert_refused(found: object, reason: str) -> None:
    """The result says that and why it was not compared, and is otherwise that of the scan alone."""
    assert isinstance(found, ResultSet)
    assert (FollowUp.COMPARISON, Compared.REFUSED) in [(item.concept, item.value) for item in found.evaluations]
    assert reason in " ".join(found.limitations)
    assert replace(found, evaluations=(), limitations=()).findings == alone().findings
    assert found.outcome is Outcome.ASSESSED
