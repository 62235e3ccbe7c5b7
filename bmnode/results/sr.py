"""Result set -> Comprehensive 3D SR by TID 1500: the root report, and the outlines for viewers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from highdicom import sr
from pydicom.dataset import Dataset

from bmnode import MANUFACTURER, MODEL_NAME, RESEARCH_USE_ONLY
from bmnode.domain.codes import Code
from bmnode.domain.objects import PredecessorDocument, ResultKind
from bmnode.domain.results import FindingResult, Outcome, ResultSet
from bmnode.results.concepts import (
    COMPREHENSIVE_3D_SR,
    PROCEDURE_BY_BRANCH,
    PROCEDURE_BY_MODALITY,
    PROCEDURE_UNKNOWN,
    REASON_CODES,
    SIMULATED_STATEMENT,
    Item,
    Status,
    Title,
    coded,
)
from bmnode.results.context import WriteContext
from bmnode.results.evidence import Evidence, evidence_of
from bmnode.results.groups import GroupContext, drawn_groups, finding_groups, study_group
from bmnode.results.instance import NewInstance, new_instance, observer_uid
from bmnode.results.key_outlines import key_outlines
from bmnode.results.sources import SourceInstance, SourceStudy
from bmnode.results.text import plain
from bmnode.results.words import findings_in_words, study_in_words


def build_reports(
    result_set: ResultSet,
    *,
    source: SourceStudy,
    context: WriteContext,
    segmentations: Sequence[Dataset] = (),
    registrations: Sequence[Dataset] = (),
) -> tuple[Dataset, Dataset | None]:
    """The root of the result set: everything found, or why nothing could be; and the report that viewers draw, where
    there is anything to draw.

    `segmentations` are the objects of `result_set.segmentations` in their order, then those of
    `result_set.planar_segmentations`. The root refers to all the others.
    Raises ResultError where a source is missing.
    """
    refer = _group_context(result_set, source, context, segmentations)
    outlines = _outline_report(refer, segmentations)
    others = [*registrations, *([] if outlines is None else [outlines])]
    return _root_report(refer, segmentations, others), outlines


def _root_report(refer: GroupContext, segmentations: Sequence[Dataset], others: Sequence[Dataset]) -> Dataset:
    result_set = refer.result_set
    root = _container(Title.ONCOLOGY, result_set, refer.source, refer.context)
    root.ContentSequence.extend(_in_words(result_set))
    if result_set.outcome is Outcome.ASSESSED:
        groups = [*(group for item in result_set.findings for group in finding_groups(item, refer)), study_group(refer)]
        root.ContentSequence.append(_measurements(groups))
    root.ContentSequence.append(_qualitative(result_set, refer.context))
    root.ContentSequence.extend(_registration_item(item) for item in others if item.Modality == "REG")
    evidence = [Evidence.from_source(instance) for instance in _used_instances(refer)]
    return _document(
        ResultKind.SR, root, refer=refer, evidence=[*evidence, *map(Evidence.from_dataset, [*segmentations, *others])]
    )


def _outline_report(refer: GroupContext, segmentations: Sequence[Dataset]) -> Dataset | None:
    """The findings that can be drawn: those with outlines, and those with a segment by the outline of its key slice.

    None where there are none. A viewer that draws measurements shows nothing of a report in which one
    Tracking UID has no SCOORD (OHIF), so this report holds nothing else.
    """
    result_set, source = refer.result_set, refer.source
    findings = [finding for finding in result_set.findings if is_drawn(finding)]
    if not findings:
        return None
    refer = replace(refer, key_outlines=key_outlines(result_set, source))
    root = _container(Title.IMAGING, result_set, source, refer.context)
    groups = [group for finding in findings for group in drawn_groups(finding, refer)]
    root.ContentSequence.append(_measurements(groups))
    # Only the images that are drawn on: all that were read stand in the root, and are thousands.
    drawn = [polygon for finding in findings for polygon in finding.polygons] + list(refer.key_outlines.values())
    uids = dict.fromkeys(polygon.sop_instance_uid for polygon in drawn)
    evidence = [Evidence.from_source(source.instance(uid)) for uid in uids]
    volumes = segmentations[: len(result_set.segmentations)]
    return _document(ResultKind.ROI_SR, root, refer=refer, evidence=[*evidence, *map(Evidence.from_dataset, volumes)])


def is_drawn(finding: FindingResult) -> bool:
    """Whether the outlines' report shows the finding: it has outlines, or a segment to take one from."""
    return bool(finding.polygons) or finding.segment is not None


def procedure_of(result_set: ResultSet, source: SourceStudy) -> Code:
    """CID 100: the branch's examination, else that of the only known modality in the study."""
    if result_set.branch is not None:
        return PROCEDURE_BY_BRANCH[result_set.branch]
    known = {PROCEDURE_BY_MODALITY.get(item.modality, PROCEDURE_UNKNOWN) for item in source.instances.values()}
    return known.pop() if len(known) == 1 else PROCEDURE_UNKNOWN


def text_item(name: Code, value: str) -> sr.TextContentItem:
    """A contained sentence."""
    return sr.TextContentItem(
        name=coded(name), value=plain(value), relationship_type=sr.RelationshipTypeValues.CONTAINS
    )


def _in_words(result_set: ResultSet) -> list[sr.TextContentItem]:
    """The findings and the whole study as text.

    Viewers that list a report item by item leave out what lies below a number: whether it is a mean or a maximum.
    """
    return [
        *(text_item(Item.FINDING_TEXT, text) for text in findings_in_words(result_set)),
        *(text_item(Item.STUDY_TEXT, text) for text in study_in_words(result_set)),
    ]


def _code_item(name: Code, value: Code) -> sr.CodeContentItem:
    return sr.CodeContentItem(
        name=coded(name), value=coded(value), relationship_type=sr.RelationshipTypeValues.CONTAINS
    )


def _registration_item(dataset: Dataset) -> sr.CompositeContentItem:
    """The registration of an earlier study that was used."""
    return sr.CompositeContentItem(
        name=coded(Item.REGISTRATION),
        referenced_sop_class_uid=dataset.SOPClassUID,
        referenced_sop_instance_uid=dataset.SOPInstanceUID,
        relationship_type=sr.RelationshipTypeValues.CONTAINS,
    )


def _group_context(
    result_set: ResultSet, source: SourceStudy, context: WriteContext, segmentations: Sequence[Dataset]
) -> GroupContext:
    uids = [str(dataset.SOPInstanceUID) for dataset in segmentations]
    volumes = len(result_set.segmentations)
    return GroupContext(
        source=source,
        result_set=result_set,
        context=context,
        segmentation_uids=dict(enumerate(uids[:volumes])),
        planar_uids=dict(enumerate(uids[volumes:])),
    )


def _container(
    title: Code, result_set: ResultSet, source: SourceStudy, context: WriteContext
) -> sr.ContainerContentItem:
    """Rows 1 to 4 of TID 1500, then the statements that every reader must see first.

    The statements are additional content items, which an extensible template allows (PS3.16 6.2.4).
    """
    root = sr.ContainerContentItem(name=coded(title), template_id="1500", is_content_continuous=False)
    observer = sr.ObserverContext(
        observer_type=coded(Code("121007", "DCM", "Device")),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=observer_uid(context),
            name=MODEL_NAME,
            manufacturer_name=MANUFACTURER,
            model_name=plain(f"{MODEL_NAME} {context.software_version}"),
        ),
    )
    content = sr.ContentSequence()
    content.extend(sr.LanguageOfContentItemAndDescendants(coded(Item.ENGLISH)))
    content.extend(sr.ObservationContext(observer_device_context=observer))
    content.append(
        sr.CodeContentItem(
            name=coded(Item.PROCEDURE_REPORTED),
            value=coded(procedure_of(result_set, source)),
            relationship_type=sr.RelationshipTypeValues.HAS_CONCEPT_MOD,
        )
    )
    content.append(text_item(Item.COMMENT, RESEARCH_USE_ONLY))
    if result_set.synthetic:
        content.append(text_item(Item.COMMENT, SIMULATED_STATEMENT))
    for notice in result_set.notices:
        content.append(text_item(Item.NOTICE, notice))
    root.ContentSequence = content
    return root


def _measurements(groups: Iterable[sr.ContentSequence]) -> sr.ContainerContentItem:
    container = sr.ContainerContentItem(
        name=coded(Item.IMAGING_MEASUREMENTS),
        is_content_continuous=False,
        relationship_type=sr.RelationshipTypeValues.CONTAINS,
    )
    container.ContentSequence = sr.ContentSequence()
    for group in groups:
        for item in group:
            # highdicom's templates say CONTINUOUS, as of prose: viewers then leave out the names of the items.
            item["ContinuityOfContent"].value = "SEPARATE"
        container.ContentSequence.extend(group)
    return container


def _qualitative(result_set: ResultSet, context: WriteContext) -> sr.ContainerContentItem:
    """Rows 12 to 14 of TID 1500: the outcome, the reason, checks, limitations, and what made the result."""
    container = sr.ContainerContentItem(
        name=coded(Item.QUALITATIVE_EVALUATIONS),
        is_content_continuous=False,
        relationship_type=sr.RelationshipTypeValues.CONTAINS,
    )
    content = sr.ContentSequence()
    content.append(_code_item(Item.SUMMARY_OF_ANALYSES, status_of(result_set)))
    if result_set.refusal is not None:
        content.append(_code_item(Item.REASON, REASON_CODES[result_set.refusal.reason]))
        content.append(text_item(Item.EXPLANATION, result_set.refusal.explanation))
    for check in result_set.quality:
        verdict = check.verdict.value.replace("_", " ")
        content.append(text_item(Item.QUALITY_CHECK, f"{check.name}: {verdict}. {check.explanation}"))
    for limitation in result_set.limitations:
        content.append(text_item(Item.LIMITATION, limitation))
    if result_set.branch is not None:
        content.append(text_item(Item.BRANCH, result_set.branch.value))
    content.append(text_item(Item.PIPELINE, f"{context.pipeline_name} {context.pipeline_version}"))
    container.ContentSequence = content
    return container


def status_of(result_set: ResultSet) -> Code:
    """CID 6047: "not assessable" is never the same as "without findings"."""
    if result_set.outcome is Outcome.NOT_ASSESSABLE:
        return Status.NONE_SUCCEEDED
    return Status.WITH_FINDINGS if result_set.findings else Status.WITHOUT_FINDINGS


def _document(
    kind: ResultKind, root: sr.ContainerContentItem, *, refer: GroupContext, evidence: Sequence[Evidence]
) -> Dataset:
    """The SR Document Series, General and Content modules (PS3.3 C.17) around the root container."""
    what = NewInstance(kind=kind, sop_class_uid=COMPREHENSIVE_3D_SR, modality="SR")
    dataset = new_instance(what, source=refer.source, context=refer.context, result_set=refer.result_set)
    dataset.CompletionFlag = "PARTIAL"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.PreliminaryFlag = "PRELIMINARY"
    predecessors = refer.context.predecessors_of(kind, sop_instance_uid=str(dataset.SOPInstanceUID))
    if predecessors:
        dataset.PredecessorDocumentsSequence = [_predecessors(predecessors, refer.source.study_uid)]
    dataset.PerformedProcedureCodeSequence = []
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.CurrentRequestedProcedureEvidenceSequence = [evidence_of(root, evidence, study_uid=refer.source.study_uid)]
    for element in root:
        dataset.add(element)
    return dataset


def _predecessors(documents: Sequence[PredecessorDocument], study_uid: str) -> Dataset:
    """Hierarchical SOP Instance Reference (PS3.3 C.17.2.1) of earlier reports on the same study."""
    series = []
    for document in documents:
        reference = Dataset()
        reference.ReferencedSOPClassUID = document.sop_class_uid
        reference.ReferencedSOPInstanceUID = document.sop_instance_uid
        item = Dataset()
        item.SeriesInstanceUID = document.series_uid
        item.ReferencedSOPSequence = [reference]
        series.append(item)
    study = Dataset()
    study.StudyInstanceUID = study_uid
    study.ReferencedSeriesSequence = series
    return study


def _used_instances(refer: GroupContext) -> Iterable[SourceInstance]:
    """Every instance of the input series; of a study without any, all that could be read."""
    series = set(refer.result_set.input_series_uids)
    series |= {segmentation.source_series_uid for segmentation in refer.result_set.segmentations}
    for finding in refer.result_set.findings:
        series |= {refer.source.instance(polygon.sop_instance_uid).series_uid for polygon in finding.polygons}
    used = list(refer.source.series(series))
    return used or list(refer.source.instances.values())
