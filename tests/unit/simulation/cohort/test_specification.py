"""Cohort files: what is refused, and how it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmnode.errors import ConfigError, NotFoundError
from operators.simulation.cohort.keys import tables
from operators.simulation.cohort.plan import places, protocol_of
from operators.simulation.cohort.protocol_keys import PROTOCOLS, keys_of
from operators.simulation.cohort.size import bytes_of
from operators.simulation.cohort.specification import load, parse, shipped
from operators.simulation.cohort.values import Kind
from operators.simulation.protocols.habits import Habits

HEAD = '[cohort]\nname = "x"\npatients = 2\n'
STUDY = '[[study]]\nmodality = "planar"\n'


def refusal(text: str) -> str:
    """What the author of a file is told."""
    with pytest.raises(ConfigError) as caught:
        parse(text, origin="bad.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cohort = [", "bad.toml is not TOML"),
        ("", "cohort is missing"),
        (HEAD, "study is missing"),
        (f'[cohort]\nname = "x"\n{STUDY}', "cohort.patients is missing, allowed is whole numbers 1 to 100000"),
        (f'[cohort]\nname = "../x"\npatients = 1\n{STUDY}', "cohort.name is '../x', allowed are 1 to 32 letters"),
        (f"{HEAD}seed = -1\n{STUDY}", "cohort.seed is -1, allowed is whole numbers 0 to 2147483647"),
        (f"{HEAD}patients2 = 1\n{STUDY}", "unknown key 'cohort.patients2', did you mean 'patients'?"),
        (f"{HEAD}[persn]\n{STUDY}", "unknown key 'persn', did you mean 'person'?"),
        (f"{HEAD}[person]\nheight_cm = 90\n{STUDY}", "person.height_cm is 90, allowed is 145 to 200"),
        (f"{HEAD}[person]\nheight_cm = nan\n{STUDY}", "person.height_cm is nan, allowed is 145 to 200"),
        (f"{HEAD}[person]\nheight_cm = true\n{STUDY}", "person.height_cm is True, allowed is 145 to 200"),
        (f"{HEAD}[person]\nheight_cm = {{ low = 190, high = 150 }}\n{STUDY}", "low is above high"),
        (f"{HEAD}[person]\nheight_cm = {{ low = 150 }}\n{STUDY}", "person.height_cm is {'low': 150}"),
        (f"{HEAD}[person]\nheight_cm = []\n{STUDY}", "person.height_cm is an empty list"),
        (f"{HEAD}[person]\nsixth_lumbar = 1.5\n{STUDY}", "sixth_lumbar is 1.5, allowed is true, false or a chance"),
        (
            f"{HEAD}[person]\nheight_cm = 146\nweight_kg = 140\n{STUDY}",
            "person.weight_kg is 140, allowed at height_cm 146 is 40 to 128",
        ),
        (
            f'{HEAD}[person]\nsex = "F"\n[disease]\nprimary = "prostate"\n{STUDY}',
            "person.sex is F, allowed with disease.primary prostate is M",
        ),
        (f"{HEAD}[disease]\nburden = {{ many = 1 }}\n{STUDY}", "disease.burden has a weight for 'many'"),
        (f"{HEAD}[disease]\nburden = {{ none = 0 }}\n{STUDY}", "disease.burden has no weight above zero"),
        (f"{HEAD}[decoys]\npaget = 2\n{STUDY}", "decoys.paget is 2, allowed is 0 to 1"),
        (f"{HEAD}[follow_up]\ndays = 3\n{STUDY}", "follow_up.days is 3, allowed is whole numbers 14 to"),
        (f'{HEAD}[[study]]\nmodality = "us"', "study[1].modality is 'us', allowed is planar, spect, ct, pet or mri"),
        (f"{HEAD}{STUDY}kilocounts = 90000", "study[1].kilocounts is 90000, allowed is 200 to 4000"),
        (f'{HEAD}{STUDY}tracer = ["mdp", "fdg"]', "study[1].tracer is 'fdg', allowed is mdp or hdp"),
        (f"{HEAD}{STUDY}kvp = 120", "unknown key 'study[1].kvp'"),
        (f"{HEAD}{STUDY}[study.ct]\nkvp = 120", "unknown key 'study[1].ct'"),
        (f"{HEAD}{STUDY}{STUDY}", "study.name is 'planar' twice"),
        (f'{HEAD}[[study]]\nmodality = "mri"\nb_values = [50]', "two or more different values"),
        (f'{HEAD}[[study]]\nmodality = "pet"\n[study.ct]\nkvp = 12', "study[1].ct.kvp is 12, allowed is 80 to 140"),
        (f'{HEAD}{STUDY}[study.habits]\nvendor = "acme"', "study[1].habits.vendor is 'acme', allowed is plain, ge"),
    ],
)
def test_impossible_file_is_refused_with_key_and_range(text: str, told: str) -> None:
    """The author is told file, key, value and what is allowed."""
    message = refusal(text)
    assert told in message
    assert all(line.startswith("bad.toml") for line in message.splitlines())


def test_everything_wrong_is_told_at_once() -> None:
    """Nobody corrects a file one error at a time."""
    message = refusal(f"{HEAD}[person]\nheight_cm = 1\nweight = 70\n{STUDY}kilocounts = 1\npixel_mm = 9")
    assert len(message.splitlines()) == 4


def test_missing_file_is_not_found() -> None:
    """A name that is neither file nor cohort says which cohorts there are."""
    with pytest.raises(NotFoundError, match="benchmark, demo, "):
        load("nowhere.toml")


def test_file_is_read_by_path(tmp_path: Path) -> None:
    """A cohort of one's own is as good as one that comes along."""
    file = tmp_path / "own.toml"
    file.write_text(HEAD + STUDY, encoding="utf-8")
    assert load(str(file)).name == "x"


@pytest.mark.parametrize("name", shipped())
def test_shipped_cohort_can_be_drawn(name: str) -> None:
    """Every cohort that comes along gives protocols that hold, with an estimate of their size."""
    spec = load(name)
    assert spec.name == name
    for place in list(places(spec, spec.seed))[:60]:
        assert bytes_of(protocol_of(spec, spec.seed, place)) > 100_000


def test_every_protocol_field_is_a_key_with_its_meaning() -> None:
    """What a protocol can do, a file can ask for, and the reference page explains it."""
    for owner in (*PROTOCOLS.values(), Habits):
        for key in keys_of(owner):
            assert key.meaning, f"{owner.__name__}.{key.name}"
            assert key.default, f"{owner.__name__}.{key.name}"
            if key.kind in (Kind.NUMBER, Kind.WHOLE):
                assert key.low is not None, f"{owner.__name__}.{key.name}"


def test_keys_of_one_table_have_different_names() -> None:
    """A key means one thing."""
    for table in tables():
        names = [key.name for key in table.keys]
        assert len(set(names)) == len(names), table.header


def test_digest_is_that_of_the_meaning() -> None:
    """Comments, layout and the number of patients change nothing for patient 1; a value does."""
    plain = parse(HEAD + STUDY + "kilocounts = 900\npixel_mm = 2.4", origin="a").digest
    assert parse(HEAD + STUDY + "# note\npixel_mm = 2.4\nkilocounts = 900", origin="b").digest == plain
    assert parse(HEAD.replace("2", "9") + STUDY + "kilocounts = 900\npixel_mm = 2.4", origin="c").digest == plain
    assert parse(HEAD + STUDY + "kilocounts = 901\npixel_mm = 2.4", origin="d").digest != plain
