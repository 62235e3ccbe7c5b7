"""The keys of a cohort file outside the protocols, each with what it takes: the file's one table of rules.

Where a key is missing, the simulator draws as the default says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from operators.simulation.anatomy.person import HEIGHT_CM, WEIGHT_KG, Arms, Sex
from operators.simulation.cohort.protocol_keys import PROTOCOLS, Modality, has_ct, keys_of
from operators.simulation.cohort.values import Key, Kind
from operators.simulation.disease.decoy_table import CHANCE
from operators.simulation.disease.follow_up_table import DAYS
from operators.simulation.disease.response import Response
from operators.simulation.disease.tables import Burden
from operators.simulation.patient import DecoyKind, Primary
from operators.simulation.protocols.ct import CtProtocol
from operators.simulation.protocols.habits import Habits

MAX_SEED = 2**31 - 1
MAX_PATIENTS = 100_000
MAX_FOLLOW_UPS = 12
_NORMAL = "normal, SD 2 to 2.5"


def _number(name: str, low: float, high: float, meaning: str, *, default: str) -> Key:
    return Key(name=name, kind=Kind.NUMBER, low=low, high=high, meaning=meaning, default=default)


def _whole(name: str, low: float, high: float, meaning: str, *, default: str) -> Key:
    return Key(name=name, kind=Kind.WHOLE, low=low, high=high, meaning=meaning, default=default)


def _word(name: str, words: tuple[str, ...], meaning: str, *, default: str) -> Key:
    return Key(name=name, kind=Kind.WORD, words=words, meaning=meaning, default=default)


def _flag(name: str, meaning: str, *, default: str) -> Key:
    return Key(name=name, kind=Kind.FLAG, meaning=meaning, default=default)


COHORT = (
    Key(name="name", kind=Kind.TEXT, varies=False, meaning="Up to 32 letters, digits, hyphens; UIDs depend on it."),
    Key(name="patients", kind=Kind.WHOLE, low=1, high=MAX_PATIENTS, varies=False, meaning="How many."),
    Key(
        name="seed", kind=Kind.WHOLE, low=0, high=MAX_SEED, varies=False, default="0",
        meaning="Of everything that is drawn; `--seed` stands above it.",
    ),
    Key(name="description", kind=Kind.TEXT, varies=False, default="none", meaning="For people."),
)  # fmt: skip
PERSON = (
    _word("sex", tuple(Sex), "Sex.", default="either that the primaries allow"),
    _number("height_cm", *HEIGHT_CM, "Stature, cm.", default="normal, 163 (F) or 176 (M), SD 7"),
    _number(
        "weight_kg", *WEIGHT_KG, "Body weight, kg; cut to a body mass index of 14 to 60.",
        default="body mass index log-normal about 26",
    ),
    _number("size_variation", 0.0, 0.05, "Standard deviation of a segment's size for the height.", default="0.02"),
    _number("shape_variation", 0.0, 1.5, "Differences in the form of every bone; 0 is the source's.", default="1"),
    _number("osteopenia", 0.0, 1.0, "0 is a sound skeleton, 1 one whose cortex is a third thinner.", default="by sex"),
    _flag("sixth_lumbar", "There is a vertebra L6.", default="chance 0.03"),
    _flag("missing_twelfth_ribs", "There are eleven pairs of ribs.", default="chance 0.02"),
    _number("lordosis_deg", -8.0, 8.0, "Lumbar lordosis against the source; near it in each study.", default=_NORMAL),
    _number("kyphosis_deg", -8.0, 8.0, "Thoracic kyphosis against the source; likewise.", default=_NORMAL),
    _number("scoliosis_deg", -8.0, 8.0, "Lumbar bend to the left; likewise.", default=_NORMAL),
)  # fmt: skip
POSTURE = (
    _number("head_turn_deg", -60.0, 60.0, "Head turn, positive to the left.", default="normal, SD 12"),
    _number("neck_flexion_deg", -15.0, 15.0, "Chin to the chest (positive) or up.", default="normal, SD 4"),
    _number("feet_out_deg", -15.0, 25.0, "Legs turned outward.", default="normal, SD 5"),
    _number(
        "roll_deg",
        -10.0,
        10.0,
        "Turn about the long axis; positive brings the left side back.",
        default="normal, SD 1.5",
    ),
    _number("yaw_deg", -10.0, 10.0, "Turn on the table; positive takes the head to the right.", default="normal, SD 1"),
    _number("pitch_deg", -5.0, 5.0, "Feet down; positive takes the head forward.", default="normal, SD 0.5"),
)
"""Of each study on its own."""
PHYSIOLOGY = (
    _number("bladder_ml", 10.0, 800.0, "Urine in the bladder, mL.", default="log-normal about 120"),
    _number("spread", 0.0, 2.0, "Factor on the spread of organ sizes and uptakes; 0 is the reference.", default="1"),
    _flag("bowel_contrast", "Oral contrast in stomach and bowel.", default="chance 0.15 in CT, else false"),
)
FLEETING = (DecoyKind.EXTRAVASATION, DecoyKind.CONTAMINATION)
"""What belongs to one injection, not to the patient."""
_DECOY_MEANINGS: Mapping[DecoyKind, str] = {
    DecoyKind.DEGENERATIVE_JOINT: "Worn joints and osteophytes.",
    DecoyKind.RIB_FRACTURE: "Healing fractures of neighbouring ribs, in a row.",
    DecoyKind.FACET_ARTHROPATHY: "Worn facet joints.",
    DecoyKind.ENOSTOSIS: "A bone island.",
    DecoyKind.HAEMANGIOMA: "A haemangioma of a vertebra.",
    DecoyKind.PAGET: "Paget's disease of a bone.",
    DecoyKind.EXTRAVASATION: "Tracer beside the vein at the injection site.",
    DecoyKind.CONTAMINATION: "Urine on the skin.",
    DecoyKind.PROSTHESIS: "A metal joint.",
    DecoyKind.PACEMAKER: "A pacemaker.",
}
DISEASE = (
    _word("primary", tuple(Primary), "Where the cancer began; also of patients without metastases.", default="any"),
    _word("burden", tuple(Burden), "How much disease there is.", default="multiple"),
)
_NOT_DRAWN = DecoyKind.BOWEL_CONTRAST  # a matter of the scan: [physiology] bowel_contrast
DECOYS = tuple(
    Key(
        name=kind.value, kind=Kind.NUMBER, low=0.0, high=1.0, varies=False, default=f"{chance:g}",
        meaning=f"{_DECOY_MEANINGS[kind]} Chance {'of a study' if kind in FLEETING else 'of a patient'}.",
    )
    for kind, chance in CHANCE.items() if kind is not _NOT_DRAWN
)  # fmt: skip
FOLLOW_UP = (
    _whole("number", 0, MAX_FOLLOW_UPS, "How many.", default="1"),
    _whole("days", *DAYS, "Since the time point before.", default="60 to 180"),
    _word("response", tuple(Response), "Of the disease as a whole; each lesion's fate follows.", default="any"),
)
STUDY = (
    Key(name="modality", kind=Kind.WORD, words=tuple(Modality), varies=False, meaning="Which protocol follows."),
    Key(
        name="name", kind=Kind.TEXT, varies=False, default="the modality",
        meaning="Folder of the study; letters, digits and hyphens, at most 32.",
    ),
    Key(
        name="chance", kind=Kind.NUMBER, low=0.0, high=1.0, varies=False, default="1",
        meaning="Share of the patients that get it; at a follow-up the same ones.",
    ),
    Key(
        name="at", kind=Kind.WORD, words=("every", "baseline", "follow_up"), varies=False, default="every",
        meaning="At which time points.",
    ),
    _word("arms", tuple(Arms), "Where the arms are.", default="beside the body; above the head in CT and PET"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One table of the file, as the reference page shows it: `header` as in the file, and its keys."""

    header: str
    meaning: str
    keys: tuple[Key, ...]


def tables() -> tuple[Table, ...]:
    """Every table of a cohort file, in the order of the page."""
    studies = tuple(
        Table(
            header=f'[[study]] modality = "{modality}"',
            meaning=f"Protocol keys of a study of modality `{modality}`"
            + ("; the keys of its CT stand in `[study.ct]`." if has_ct(owner) else "."),
            keys=keys_of(owner),
        )
        for modality, owner in PROTOCOLS.items()
    )
    return (
        Table(header="[cohort]", meaning="The cohort.", keys=COHORT),
        Table(header="[person]", meaning="Who the patients are.", keys=PERSON),
        Table(header="[posture]", meaning="How they lie, drawn for each study on its own.", keys=POSTURE),
        Table(header="[physiology]", meaning="The state of the organs in each study.", keys=PHYSIOLOGY),
        Table(header="[disease]", meaning="The metastases.", keys=DISEASE),
        Table(header="[decoys]", meaning="What imitates or hides metastases, each with its own chance.", keys=DECOYS),
        Table(header="[follow_up]", meaning="Later time points; without this table there is one.", keys=FOLLOW_UP),
        Table(
            header="[habits]",
            meaning="What vendors and sites do to a study; `[study.habits]` stands above it.",
            keys=keys_of(Habits),
        ),
        Table(
            header="[[study]]", meaning="One for each study of a time point, with the keys of its protocol.", keys=STUDY
        ),
        *studies,
        Table(
            header="[study.ct]",
            meaning="The CT of a PET/CT or SPECT/CT; given for SPECT, it makes a SPECT/CT.",
            keys=keys_of(CtProtocol),
        ),
    )
