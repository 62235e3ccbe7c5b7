"""The JSON documents: which keys each kind of thing has, and what they mean. The keys are a promise to scripts.

`bmnode.cli.reference` writes this table into the documentation; a key that is not here is never written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from bmnode.cli.evaluation_documents import EVALUATION_KINDS
from bmnode.cli.ledger_documents import LEDGER_KINDS

_TIME = "UTC, ISO 8601"

KINDS: Mapping[str, Mapping[str, str]] = {
    "study": {
        "study_uid": "Study Instance UID",
        "state": "`receiving`, `complete` or `rejected`",
        "revision": "last frozen revision, 0 before the first",
        "instance_count": "images received",
        "source_ae": "AE title that sent the last image",
        "first_received_at": _TIME,
        "last_received_at": _TIME,
        "due_at": f"when it is judged complete if nothing more arrives, {_TIME}; null when it is not receiving",
        "branch": "branch that the last revision took; null where none",
        "decision": "of the last revision: `undecided`, `selected`, `not_for_us` or the reason of the refusal; or null",
        "explanation": "the decision in a sentence",
    },
    "series": {
        "series_uid": "Series Instance UID",
        "sop_class_uid": "SOP Class UID",
        "instance_count": "images received",
        "size_bytes": "size of their data sets",
        "deleted_count": "of them deleted since by `[retention]`",
    },
    "deletion": {
        "study_uid": "Study Instance UID",
        "images": "how many images",
        "size_bytes": "size of their data sets",
        "is_assessed": "whether results were made of it",
        "since": f"when its destinations had all results, or it was decided that none are made, {_TIME}",
        "because": "`age`, or `disk` where its hours are not over",
    },
    "revision": {
        "revision": "number, from 1",
        "instance_count": "images that it froze",
        "created_at": _TIME,
        "branch": "as in study",
        "decision": "as in study",
        "explanation": "as in study",
    },
    "job": {
        "job_id": "identifier",
        "study_uid": "Study Instance UID",
        "revision": "revision of the study",
        "pipeline": "name of the pipeline",
        "pipeline_version": "its version",
        "route": "name of the route, or of the routes",
        "destinations": "names of the peers that get the result",
        "label_in": "names of the peers in which the study gets a label",
        "priority": "1 is the most urgent, 10 the ordinary case",
        "state": "`awaiting_prior`, `queued`, `running`, `succeeded`, `failed` or `cancelled`",
        "attempt": "how often it was started",
        "progress": "from 0 to 1",
        "step": "what it does now",
        "outcome": "`assessed` or `not_assessable`; null before the end",
        "reason": "why it ended as it did; null where there is nothing to say",
        "created_at": _TIME,
        "started_at": f"{_TIME}, or null",
        "ended_at": f"{_TIME}, or null",
    },
    "prior_search": {
        "study_uid": "Study Instance UID of the present study",
        "job_id": "job on whose behalf was looked",
        "job_state": "the job's state",
        "outcome": "`found`, `none_comparable`, `not_known` (a place did not answer) or `not_looked_for`; null before "
        "the first search has ended",
        "explanation": "the outcome in a sentence",
        "attempts": "searches that ended",
        "run_by": f"the job waited no longer, {_TIME}",
        "search_until": f"who did not answer is asked again until then, {_TIME}",
        "wanted_study_uid": "the one study that somebody asked to compare; null: whichever fits",
        "is_used": "whether the job's result was made with what was found",
    },
    "prior_candidate": {
        "study_uid": "Study Instance UID",
        "performed_on": "day of the examination, or null",
        "place": "`node`, or the name of the archive that told of it",
        "roles": "what it is compared as: `latest`, `baseline`, `nadir`; empty where it is not",
        "objection": "why it is not compared, see [reasons](../how-to/compare-with-a-prior.md); null where it can be",
        "caveats": "what weakens the comparison, sentences",
    },
    "job_event": {
        "at": _TIME,
        "event": "what happened",
        "state": "the job's state after it",
        "detail": "more about it, or an empty text",
    },
    "result": {
        "sop_instance_uid": "SOP Instance UID",
        "sop_class_uid": "SOP Class UID",
        "series_uid": "Series Instance UID",
        "kind": "`sr` (the report), `roi_sr` (outlines for viewers), `seg`, `reg` (registration of an earlier study), "
        "`sc` (pictures), `pdf` (document)",
        "path": "file, relative to the results folder",
        "created_at": _TIME,
    },
    "delivery": {
        "sop_instance_uid": "SOP Instance UID of the result object",
        "destination": "name of the peer",
        "job_id": "job that made the object",
        "state": "`pending`, `stored` (taken, and its commitment waited for), `delivered` or `dead`",
        "attempts": "how often it was tried",
        "last_status": "last C-STORE status or STOW-RS reason, as a number; null where there was none",
        "last_error": "what went wrong last; or null",
        "next_attempt_at": f"{_TIME}, or null",
        "delivered_at": f"{_TIME}, or null",
    },
    "audit_entry": {
        "sequence": "number, from 1 without gaps",
        "at": _TIME,
        "event": "what happened",
        "outcome": "`success` or `failure`",
        "actor": "who did it",
        "subject": "UID, job or peer that it happened to",
        "detail": "JSON text",
        "previous_hash": "hash of the line before",
        "hash": "SHA-256 over this line and `previous_hash`",
    },
    "peer": {
        "name": "name in the configuration",
        "ae_title": "AE title",
        "host": "host name or address",
        "port": "DICOM port",
        "rest_url": "address of Orthanc's REST interface; or null",
        "objects": "kinds of the objects of a result that it gets",
        "addresses": "addresses and networks that it may call from; empty: any",
        "tls": "whether it is called by TLS, and may call by TLS only",
        "certificate_name": "name that its certificate must carry; or null",
        "send_by": "how it gets results, the best first: `c-store`, `stow-rs`",
        "dicomweb_url": "base address of its DICOMweb services; or null",
    },
    "applied": {
        "part": "process of the node",
        "applied": "whether it took the file; else it goes on with what it had",
        "changed": "sections that hold anew",
        "needs_restart": "sections that differ in the file and hold from the next start on",
        "reason": "why it did not take the file; or null",
    },
    "echo": {
        "peer": "name in the configuration",
        "dicom": "`ok`, `unreachable` or `refused`",
        "round_trip_s": "seconds until the C-ECHO response; null where there was none",
        "rest": "`ok`, `unreachable`, `refused`, `misconfigured`; null where the peer has no `rest_url`",
        "version": "Orthanc's version; or null",
        "study_count": "studies that Orthanc holds; or null",
        "disk_bytes": "size of what Orthanc stores; or null",
        "detail": "what went wrong; or an empty text",
    },
    "route": {
        "name": "name of the route",
        "enabled": "whether it is in force",
        "pipeline": "pipeline that it runs",
        "destinations": "names of the peers that get the result",
        "modalities": "condition; empty: any",
        "branches": "condition; empty: any",
        "source_ae": "condition; empty: any",
        "body_part": "condition; empty: any",
        "description": "condition, a regular expression; or null",
        "priority": "1 is the most urgent, 10 the ordinary case",
        "report_refusals": "whether a study that is not assessable gets a report",
        "label_in": "peer in which the study gets a label; or null",
    },
    "route_match": {
        "route": "name of the route",
        "matches": "whether the study takes it",
        "reason": "the first condition that does not hold; null where all do",
    },
    "finding": {
        "severity": "`error`, `warning` or `ok`",
        "key": "setting, or what else was looked at, as `journal` or `destination.pacs`",
        "message": "what is so, and what to do about it",
    },
    "pipeline": {
        "name": "name, as in a route",
        "version": "version of the distribution that brings it",
        "distribution": "name of that distribution",
        "entry_point": "`module:object`; not loaded to list it",
    },
    "model": {
        "name": "name of the bundle",
        "version": "its version; null where it is refused",
        "origin": "`shipped`: came with bmnode; `site`: installed here; `folder`: neither, a folder that was named",
        "branch": "branch that it is for; null where it is refused",
        "task": "what it does, in words; likewise",
        "size_mb": "size of all its files in MB (10^6 bytes); likewise",
        "digest": "SHA-256 of its metadata, which list that of every other file; likewise",
        "folder": "where it lies",
        "verified": "whether these very bytes passed `bmnode model verify` here; null where not installed or refused",
        "refused": "why it is not used; null where it is whole",
    },
    "model_sides": {
        "named_share": "of the true pixels of paired bones, those that are given a paired bone's name",
        "right_side_share": "of these, those with the right side",
        "is_upright": "whether head, pelvis and legs are found in this order from the top",
    },
    "model_contract": {
        "branch": "branch of the images",
        "tracers": "tracers that it was trained on; empty where the modality has none",
        "channels": "what each input channel holds",
        "spacing_mm": "smallest and largest pixel or voxel",
        "intensity_of": "which number of the image `intensity` limits",
        "intensity_unit": "its unit",
        "intensity": "smallest and largest",
        "coverage": "parts of the body that an image must show",
        "age_years": "youngest and oldest",
        "score_limit": "largest out-of-distribution score of an image that it is used on",
    },
    "model_figure": {
        "quantity": "what was measured",
        "unit": "of the value",
        "value": "of the model; null where it is not evaluable",
        "low": "lower end of the 95 % confidence interval; or null",
        "high": "upper end; or null",
        "n": "patients, scans or lesions that it rests on",
        "thresholds": "the same of the branch without a model, on the same patients; or null",
    },
    "training_report": {
        "name": "name of the model",
        "version": "its version",
        "steps": "steps of the recipe, all done",
        "resumed_at": "steps that an earlier call had done",
        "metrics": "file of JSON lines: `step` with `rate` and losses, or with figures of people who were held out",
        "checkpoint": "file of weights and optimiser; not a bundle",
        "bundle": "folder of the finished model, for `bmnode model verify` and `bmnode model install`",
        "held_out": "the last of those figures, by name; null where there was nothing to judge",
    },
    "run_report": {
        "outcome": "`assessed` or `not_assessable`",
        "branch": "branch that the study took; or null",
        "reason": "why it is not assessable; or null",
        "objects": "paths of the result objects",
        "pictures": "paths of the pictures",
        "comparison": "how it was compared with an earlier study, in the words of the report; or null",
        "priors": "sentences on the earlier studies of `--prior`, and on why one was not compared",
    },
    "suv_report": {
        "path": "the NIfTI file",
        "suv_type": "`bw`, `lbm`, `lbm-janma`, `bsa` or `ibw`",
        "unit": "`g/ml`, for `bsa` `cm2/ml`",
        "shape": "slices, rows, columns",
        "spacing_mm": "distance of slices, rows, columns",
        "minimum": "over all voxels",
        "median": "over all voxels",
        "maximum": "over all voxels",
        "uptake_minutes": "from the injection to the moment that decay is corrected to; null where that is not needed",
        "method": "name and version of the rule",
        "notes": "what was assumed about the headers",
    },
    "demo_study": {
        "name": "name of the study in the demo",
        "synthetic": "whether the patient is simulated; then `lesions` is the truth",
        "study_uid": "Study Instance UID",
        "outcome": "`assessed` or `not_assessable`",
        "reason": "why it is not assessable; or null",
        "findings": "findings that the report takes for lesions",
        "lesions": "lesions that were put in; null where the truth is not known",
        "lesions_found": "how many of them a finding meets; or null",
        "findings_elsewhere": "findings that meet no lesion; or null",
        "objects": "paths of the result objects, as the archive has them",
        "pictures": "paths of the pictures",
        "as_expected": "whether it was assessed, or refused where a refusal is right",
    },
    "simulated_study": {
        "patient": "Patient ID",
        "timepoint": "`baseline`, `follow-up-1`, ...",
        "name": "name of the study in the cohort",
        "modality": "`planar`, `spect`, `ct`, `pet` or `mri`",
        "study_uid": "Study Instance UID",
        "dicom": "folder of the DICOM files",
        "truth": "folder of the truth",
        "instances": "DICOM files",
        "lesions": "metastases of the patient at that time",
        "made_now": "false where an earlier run had finished it",
    },
    "fidelity_row": {
        "quantity": "what was measured",
        "value": "as measured",
        "unit": "of the value; empty for a ratio",
        "low": "lower end of the range; or null",
        "high": "upper end of the range; or null",
        "source": "where the range is from; `[P]` is the project's own choice",
        "known_gap": "why the value leaves its range, where that is known; or an empty text",
        "verdict": "`in range`, `out of range` or `reported`",
    },
    **EVALUATION_KINDS,
    "read_result": {
        "study_uid": "Study Instance UID",
        "report_uid": "SOP Instance UID of the root report",
        "predecessor_uids": "of the reports that it takes the place of",
        "pipeline": "name and version of the pipeline",
        "branch": "modality branch; null where none",
        "outcome": "`assessed` or `not_assessable`",
        "reason": "why it is not assessable; or null",
        "synthetic": "whether the images were simulated",
        "is_verified": "whether a person stands for the edited report; null where nothing was edited",
        "takes_place": "whether the edited report names this one as its predecessor; or null",
        "measurements": "of the whole study: `concept`, `derivation`, `value`, `unit` (UCUM), `method`",
    },
    "read_lesion": {
        "tracking_id": "name of the lesion",
        "tracking_uid": "its Tracking Unique Identifier",
        "site": "finding site; or null",
        "laterality": "side; or null",
        "decision": "`accepted`, `changed`, `rejected`, `added` or `unreviewed`; null where nothing was edited",
        "changes": "in what it was changed: `name`, `type`, `site`, `region`, `measurements`, `evaluations`",
        "known_by": "how it was recognised: `tracking_uid`, `voxels` or `label`; or null",
        "left_out": "measurements and evaluations that do not hold any more",
        "measurements": "as in read_result",
    },
    **LEDGER_KINDS,
    "error": {
        "type": "name of the error",
        "message": "what went wrong and what to do",
        "exit_code": "what the command exits with",
    },
}


def document(kind: str, source: object, **overrides: object) -> dict[str, Any]:
    """The JSON object of one thing: exactly the keys of its kind, from attributes or given by name."""
    keys = KINDS[kind]
    unknown = overrides.keys() - keys.keys()
    if unknown:
        raise ValueError(f"{kind} has no keys {sorted(unknown)}")
    return {key: plain(overrides[key] if key in overrides else getattr(source, key)) for key in keys}


def plain(value: object) -> Any:
    """A value as JSON knows it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value
