"""What must not be measured is refused with its reason, and the same study unbroken is measured.

Each row breaks a study of one simulated patient in one way; `bmnode run` takes the folder, and the report is read back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bmnode.cli.exit_codes import NOT_ASSESSABLE
from bmnode.domain.codes import Concept, Derivation
from bmnode.domain.results import Outcome
from bmnode.results.reading import Report
from tests.acceptance.conftest import Assess
from tests.acceptance.refused_cases import FLAGGED, REFUSED, Case, Flagged
from tests.support import simulated as make
from tests.support.simulated import Change, Patient

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def unbroken(simulated: Patient, assess: Assess, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Report]:
    """The report of a study as it was made, run once; it is assessed."""
    reports: dict[str, Report] = {}

    def get(study: str) -> Report:
        if study not in reports:
            folder = simulated.copy(study, tmp_path_factory.mktemp("unbroken") / study, change=make.as_it_is)
            exit_code, reports[study] = assess(folder)
            assert (exit_code, reports[study].outcome) == (0, Outcome.ASSESSED)
        return reports[study]

    return get


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_must_not_be_measured_is_refused(
    simulated: Patient, assess: Assess, unbroken: Callable[[str], Report], tmp_path: Path, *, case: Case
) -> None:
    """Exit 10, the reason and its sentence in the SR, no number; the same study unbroken is assessed."""
    exit_code, report = assess(simulated.copy(case.study, tmp_path / "in", change=case.change))
    assert exit_code == NOT_ASSESSABLE
    assert (report.outcome, report.reason) == (Outcome.NOT_ASSESSABLE, case.reason)
    assert case.words in " ".join(report.texts)
    assert not report.findings
    assert not report.measurements
    assert unbroken(case.study).outcome is Outcome.ASSESSED


@pytest.mark.parametrize("case", FLAGGED, ids=lambda case: case.name)
def test_what_is_doubtful_is_said(
    simulated: Patient, assess: Assess, unbroken: Callable[[str], Report], tmp_path: Path, *, case: Flagged
) -> None:
    """The study is assessed, its report says what is doubtful, and that of the unbroken study does not.

    With too few counts no Bone Scan Index is given, which the unbroken scan has: it would be in error by more than it
    measures.
    """
    exit_code, report = assess(simulated.copy(case.study, tmp_path / "in", change=case.change))
    assert (exit_code, report.outcome) == (0, Outcome.ASSESSED)
    assert case.words in " ".join(report.texts)
    assert case.words not in " ".join(unbroken(case.study).texts)
    if case.without is not None:
        found = [
            [item for item in read.measurements if case.without in item.concept.meaning]
            for read in (report, unbroken(case.study))
        ]
        assert not found[0]
        assert found[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (make.drug(RadionuclideTotalDose="280"), "SUV prerequisites: warn. The injected dose was read as MBq."),
        (make.as_suv, "SUV prerequisites: pass."),
        (make.as_legacy_converted, "SUV prerequisites: pass."),
        (make.as_enhanced_pet, "SUV prerequisites: pass."),
    ],
    ids=["dose in MBq", "SUV already applied", "legacy converted", "enhanced"],
)
def test_uptake_is_scaled_once(
    simulated: Patient,
    assess: Assess,
    unbroken: Callable[[str], Report],
    tmp_path: Path,
    *,
    change: Change,
    words: str,
) -> None:
    """A dose in MBq, which is told, an image that is SUV already, and multi-frame objects give the SUV of the image in
    Bq/ml."""
    _, report = assess(simulated.copy("pet-alone", tmp_path / "in", change=change))
    assert words in " ".join(report.texts)
    assert suv_maxima(report) == pytest.approx(suv_maxima(unbroken("pet-alone")), rel=1e-5)
    assert suv_maxima(report)


def suv_maxima(report: Report) -> list[float]:
    """SUVmax of every finding."""
    return [
        item.value
        for finding in report.findings
        for item in finding.measurements
        if (item.concept, item.derivation) == (Concept.SUV_BW, Derivation.MAXIMUM)
    ]


def test_refusal_is_told_on_the_command_line(
    simulated: Patient, assess: Assess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever runs the command reads the reason and the sentence there too."""
    assess(simulated.copy("planar", tmp_path / "in", change=make.set_to(PatientAge="012Y")))
    assert "not_assessable: paediatric: The patient is under 18 years of age" in capsys.readouterr().out
