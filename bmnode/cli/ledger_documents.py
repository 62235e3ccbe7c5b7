"""The JSON documents of the lesion ledger; see `bmnode.cli.documents`."""

from __future__ import annotations

from collections.abc import Mapping

LEDGER_KINDS: Mapping[str, Mapping[str, str]] = {
    "ledger_time_point": {
        "study_uid": "Study Instance UID",
        "studied_on": "Study Date; or null",
        "report_uid": "SOP Instance UID of the root report that counts",
        "predecessor_uids": "of the reports that it takes the place of",
        "branch": "modality branch; or null",
        "pipeline": "name and version of the pipeline",
        "outcome": "`assessed` or `not_assessable`",
        "synthetic": "whether the images were simulated",
        "measurements": "of the whole study: `concept`, `derivation` (codes), `value`, `unit` (UCUM), `method`",
        "evaluations": "of the whole study: `concept` and `value`, codes of `value`, `scheme`, `meaning`",
    },
    "ledger_lesion": {
        "tracking_uid": "its Tracking Unique Identifier, for ever",
        "tracking_id": "its name in the last report",
        "became": "Tracking UIDs of other lesions that came from it: parts of it, or what it merged into",
        "course": "list of ledger_observation, the first first",
    },
    "ledger_observation": {
        "study_uid": "Study Instance UID",
        "report_uid": "SOP Instance UID of the report",
        "studied_on": "Study Date; or null",
        "tracking_id": "name of the lesion in this report",
        "finding": "what it is, a code",
        "site": "finding site, a code; or null",
        "laterality": "side, a code; or null",
        "event": "what became of it since the earlier scan, a code; null where it was not compared",
        "came_from": "Tracking UIDs of the other lesions that it split from, or that merged into it",
        "segmentation_uid": "SOP Instance UID of the segmentation; null where it is not segmented",
        "segment_number": "number of its segment; or null",
        "measurements": "as in ledger_time_point",
        "evaluations": "as in ledger_time_point",
    },
    "ledger_place": {
        "place": "`node`, or the name of the peer",
        "studies": "studies that may have reports",
        "added": "reports that were taken in now",
        "known": "reports that had been taken in before",
        "others": "SR that are no root report of bmnode",
        "failures": "list of ledger_failure",
        "is_complete": "false where the place has more studies than it told of",
    },
    "ledger_failure": {
        "sop_instance_uid": "SOP Instance UID of the SR",
        "reason": "why it was not taken in",
    },
}
