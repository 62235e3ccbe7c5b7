"""A cohort file, read and checked: every key is known, every value is one that its key takes.

All that is wrong is told at once: file, key, value, what is allowed, and for an unknown key the
nearest known one.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from bmnode.domain.ids import digest
from bmnode.errors import ConfigError, NotFoundError
from operators.simulation.cohort import keys, sense
from operators.simulation.cohort.protocol_keys import PROTOCOLS, Modality, has_ct, keys_of, made
from operators.simulation.cohort.values import Draw, Key, ValueProblem, read
from operators.simulation.protocols.ct import CtProtocol
from operators.simulation.protocols.habits import Habits

Draws = Mapping[str, Draw]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")
_TABLES: Mapping[str, tuple[Key, ...]] = {
    "person": keys.PERSON,
    "posture": keys.POSTURE,
    "physiology": keys.PHYSIOLOGY,
    "disease": keys.DISEASE,
    "decoys": keys.DECOYS,
    "follow_up": keys.FOLLOW_UP,
    "habits": keys_of(Habits),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class StudySpec:
    """One `[[study]]`: what is drawn for it, by key. `ct` is None where there is no table `[study.ct]`."""

    name: str
    modality: Modality
    chance: float
    at: str
    arms: Draw | None
    protocol: Draws
    ct: Draws | None
    habits: Draws


@dataclass(frozen=True, kw_only=True, slots=True)
class CohortSpec:
    """A cohort: how many patients, and for each key that was given where its value comes from.

    `digest` is that of the file's content: comments and layout left out, everything that has a meaning in.
    """

    name: str
    patients: int
    seed: int
    description: str
    digest: str
    person: Draws
    posture: Draws
    physiology: Draws
    disease: Draws
    decoys: Draws
    habits: Draws
    follow_up: Draws | None
    studies: tuple[StudySpec, ...]


def shipped() -> tuple[str, ...]:
    """The names of the cohorts that come along."""
    return tuple(sorted(item.name.removesuffix(".toml") for item in _folder().iterdir() if item.name.endswith(".toml")))


def load(cohort: str) -> CohortSpec:
    """A cohort by file or by the name of one that comes along.

    Raises NotFoundError where there is none, ConfigError where the file cannot be used.
    """
    if cohort in shipped():
        return parse((_folder() / f"{cohort}.toml").read_text(encoding="utf-8"), origin=f"cohort {cohort}")
    path = Path(cohort)
    if not path.is_file():
        raise NotFoundError(f"there is no cohort file {cohort}; by name there are {', '.join(shipped())}")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{cohort} cannot be read: {error}") from error
    return parse(text, origin=cohort)


def parse(text: str, *, origin: str) -> CohortSpec:
    """A cohort from TOML text. Raises ConfigError with every problem on a line of its own; `origin` names the file."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin} is not TOML: {error}") from error
    reader = _Reader()
    spec = reader.cohort(content)
    problems = list(dict.fromkeys(reader.problems))
    if spec is None or problems:
        raise ConfigError("\n".join(f"{origin}: {problem}" for problem in problems))
    return spec


@dataclass(kw_only=True, slots=True)
class _Reader:
    """Reads on after a problem, so that all of them are told."""

    problems: list[str] = field(default_factory=list)

    def cohort(self, content: Mapping[str, object]) -> CohortSpec | None:
        self.unknown(content, known=("cohort", "study", *_TABLES), where="")
        head = self.table(content.get("cohort"), keys.COHORT, where="cohort")
        for name in ("name", "patients"):
            if name not in head and not self.problems:
                self.problems.append(f"cohort.{name} is missing, allowed is {self._allowed(name)}")
        tables = {name: self.table(content.get(name, {}), known, where=name) for name, known in _TABLES.items()}
        studies = self.studies(content.get("study", []), habits=tables["habits"])
        self.problems += sense.person(tables["person"], tables["disease"])
        self.name(head.get("name"), where="cohort.name")
        if self.problems:
            return None
        values = {name: draw.possible()[0] for name, draw in head.items()}
        return CohortSpec(
            name=str(values["name"]),
            patients=int(str(values["patients"])),
            seed=int(str(values.get("seed", 0))),
            description=str(values.get("description", "")),
            digest=digest(
                [repr(_sorted({name: item for name, item in content.items() if name != "cohort"})), str(values["name"])]
            ),
            person=tables["person"],
            posture=tables["posture"],
            physiology=tables["physiology"],
            disease=tables["disease"],
            decoys=tables["decoys"],
            habits=tables["habits"],
            follow_up=tables["follow_up"] if "follow_up" in content else None,
            studies=studies,
        )

    def studies(self, raw: object, *, habits: Draws) -> tuple[StudySpec, ...]:
        """Every `[[study]]`."""
        if not isinstance(raw, list) or not raw or not all(isinstance(item, Mapping) for item in raw):
            self.problems.append("study is missing, allowed is one or more tables [[study]]")
            return ()
        found = [self.study(item, where=f"study[{number}]", habits=habits) for number, item in enumerate(raw, start=1)]
        names = [study.name for study in found if study is not None]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.problems.append(f"study.name is {name!r} twice, allowed is a name of its own for each study")
        return tuple(study for study in found if study is not None)

    def study(self, raw: Mapping[str, object], *, where: str, habits: Draws) -> StudySpec | None:
        """One `[[study]]`; its modality decides which keys it knows."""
        words = tuple(Modality)
        if raw.get("modality") not in words:
            self.problems.append(f"{where}.modality is {raw.get('modality')!r}, allowed is {keys.STUDY[0].allowed}")
            return None
        modality = Modality(str(raw["modality"]))
        owner = PROTOCOLS[modality]
        inner = ("habits", "ct") if has_ct(owner) else ("habits",)
        protocol_keys = keys_of(owner)
        flat = {name: item for name, item in raw.items() if name not in inner}
        drawn = self.table(flat, (*keys.STUDY, *protocol_keys), where=where, also=inner)
        protocol = {key.name: drawn[key.name] for key in protocol_keys if key.name in drawn}
        self.constructible(owner, protocol, where=where)
        ct = None
        if "ct" in raw and has_ct(owner):
            ct = self.table(raw["ct"], keys_of(CtProtocol), where=f"{where}.ct")
            self.constructible(CtProtocol, ct, where=f"{where}.ct")
        own = self.table(raw.get("habits", {}), keys_of(Habits), where=f"{where}.habits")
        plain = {name: drawn[name].possible()[0] for name in ("name", "chance", "at") if name in drawn}
        self.name(drawn.get("name"), where=f"{where}.name")
        return StudySpec(
            name=str(plain.get("name", modality.value)),
            modality=modality,
            chance=float(str(plain.get("chance", 1.0))),
            at=str(plain.get("at", "every")),
            arms=drawn.get("arms"),
            protocol=protocol,
            ct=ct,
            habits={**habits, **own},
        )

    def table(self, raw: object, known: tuple[Key, ...], *, where: str, also: tuple[str, ...] = ()) -> dict[str, Draw]:
        """What a table says, by key. `also` are names that stand in it and are read elsewhere."""
        if not isinstance(raw, Mapping):
            self.problems.append(f"{where} is {'missing' if raw is None else repr(raw)}, allowed is a table [{where}]")
            return {}
        by_name = {key.name: key for key in known}
        self.unknown(raw, known=(*by_name, *also), where=where)
        found: dict[str, Draw] = {}
        for name, value in raw.items():
            if name in by_name:
                try:
                    found[name] = read(by_name[name], value)
                except ValueProblem as problem:
                    self.problems.append(f"{where}.{name} {problem}")
        return found

    def unknown(self, raw: Mapping[str, object], *, known: Iterable[str], where: str) -> None:
        """Note every key that is not known, with the nearest one that is."""
        names = list(known)
        for name in raw:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
                hint = f", did you mean {near[0]!r}?" if near else f"; known are {', '.join(names)}"
                path = f"{where}.{name}" if where else name
                self.problems.append(f"unknown key {path!r}{hint}")

    def constructible(self, owner: type, draws: Draws, *, where: str) -> None:
        """Note what a protocol refuses although each value is in its range."""
        for name, draw in draws.items():
            for value in draw.possible():
                try:
                    made(owner, {name: value})
                except ValueError as error:
                    self.problems.append(f"{where}.{name}: {str(error).removeprefix(name + ' ')}")

    def name(self, draw: Draw | None, *, where: str) -> None:
        """Note a name that is no folder's name."""
        for value in () if draw is None else draw.possible():
            if not _NAME.fullmatch(str(value)):
                allowed = "1 to 32 letters, digits and hyphens, beginning with a letter or digit"
                self.problems.append(f"{where} is {value!r}, allowed are {allowed}")

    @staticmethod
    def _allowed(name: str) -> str:
        return next(key.allowed for key in keys.COHORT if key.name == name)


def _sorted(content: object) -> object:
    """Tables with their keys in order: the digest does not depend on the file's layout."""
    if isinstance(content, Mapping):
        return {name: _sorted(content[name]) for name in sorted(content)}
    return [_sorted(item) for item in content] if isinstance(content, list) else content


def _folder() -> Path:
    return Path(str(files("operators.simulation.cohort"))) / "cohorts"
