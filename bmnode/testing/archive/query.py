"""C-FIND and the selection of C-MOVE and C-GET, as functions of the index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pydicom import Dataset
from pydicom.datadict import dictionary_VR, keyword_for_tag

from bmnode.testing.archive.index import ATTRIBUTES, UNIQUE_KEYS, IndexedInstance, Level
from bmnode.testing.archive.matching import matches

_NOT_KEYS = frozenset({"QueryRetrieveLevel", "SpecificCharacterSet", "RetrieveAETitle", "InstanceAvailability"})


def level_of(identifier: Dataset, *, root: Level) -> Level:
    """The identifier's Query/Retrieve Level. Raises ValueError where it is absent or above the model's root."""
    name = str(identifier.get("QueryRetrieveLevel", ""))
    if name not in Level.__members__ or Level[name] < root:
        raise ValueError(f"Query/Retrieve Level {name!r} does not belong to this model")
    return Level[name]


def find(instances: Sequence[IndexedInstance], identifier: Dataset, *, root: Level, ae_title: str) -> Iterator[Dataset]:
    """One response identifier for each entity that matches (PS3.4 C.4.1). Raises ValueError on a bad level.

    Keys that the archive does not know come back empty, as keys that it does not support.
    """
    level = level_of(identifier, root=root)
    entities: dict[tuple[str, ...], list[IndexedInstance]] = {}
    for instance in instances:
        entities.setdefault(tuple(instance.key(step) for step in Level if step <= level), []).append(instance)
    for members in entities.values():
        record = _record(members, level=level)
        if _fits(identifier, record):
            yield _response(identifier, record, level=level, ae_title=ae_title)


def select(instances: Iterable[IndexedInstance], identifier: Dataset, *, root: Level) -> tuple[IndexedInstance, ...]:
    """The instances that a retrieve identifier names by its unique keys (PS3.4 C.4.2.2.1, lists of UIDs included).

    Raises ValueError on a bad level or where the level's own unique key is missing.
    """
    level = level_of(identifier, root=root)
    if not identifier.get(UNIQUE_KEYS[level]):
        raise ValueError(f"a retrieve at level {level.name} needs {UNIQUE_KEYS[level]}")
    keywords = [UNIQUE_KEYS[step] for step in Level if step <= level]
    return tuple(
        item
        for item in instances
        if all(matches(identifier.get(word), vr="UI", value=item.attributes.get(word)) for word in keywords)
    )


def _record(members: Sequence[IndexedInstance], *, level: Level) -> Dataset:
    """What is known of one entity: its own attributes, those above it, and the counts of what it holds."""
    record = Dataset()
    first = members[0].attributes
    for keyword in (word for step in Level if step <= level for word in ATTRIBUTES[step]):
        if keyword in first:
            value = first[keyword].value
            setattr(record, keyword, str(value) if first[keyword].VR == "PN" else value)
    series = {item.series_uid for item in members}
    if level is Level.PATIENT:
        record.NumberOfPatientRelatedStudies = len({item.study_uid for item in members})
        record.NumberOfPatientRelatedSeries = len(series)
        record.NumberOfPatientRelatedInstances = len(members)
    elif level is Level.STUDY:
        record.ModalitiesInStudy = sorted({item.modality for item in members if item.modality})
        record.SOPClassesInStudy = sorted({item.sop_class_uid for item in members})
        record.NumberOfStudyRelatedSeries = len(series)
        record.NumberOfStudyRelatedInstances = len(members)
    elif level is Level.SERIES:
        record.NumberOfSeriesRelatedInstances = len(members)
    return record


def _fits(identifier: Dataset, record: Dataset) -> bool:
    for element in identifier:
        keyword = keyword_for_tag(element.tag)
        if keyword in _NOT_KEYS or element.VR == "SQ" or keyword not in record:
            unknown_unique = keyword in UNIQUE_KEYS.values() and keyword not in record
            if unknown_unique and element.value:
                return False
            continue
        if not matches(element.value, vr=dictionary_VR(element.tag), value=record[keyword].value):
            return False
    return True


def _response(identifier: Dataset, record: Dataset, *, level: Level, ae_title: str) -> Dataset:
    response = Dataset()
    response.SpecificCharacterSet = "ISO_IR 192"
    for element in identifier:
        keyword = keyword_for_tag(element.tag)
        if keyword in _NOT_KEYS or not keyword:
            continue
        if keyword in record:
            response[element.tag] = record[keyword]
        else:
            response.add_new(element.tag, element.VR, None)
    response.QueryRetrieveLevel = level.name
    response.RetrieveAETitle = ae_title
    response.InstanceAvailability = "ONLINE"
    return response
