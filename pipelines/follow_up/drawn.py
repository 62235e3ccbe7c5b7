"""The lesions of a result with the voxels, or pixels, that they were drawn with."""

from __future__ import annotations

from bmnode.domain.codes import Finding
from bmnode.domain.results import FindingResult, ResultSet
from pipelines.follow_up.contract import Drawn

_LESIONS = frozenset({Finding.LESION, Finding.BONE_METASTASIS})


def is_lesion(finding: FindingResult) -> bool:
    """Whether it is followed; what was set aside is not."""
    return finding.finding_type in _LESIONS


def lesions_of(result: ResultSet) -> tuple[Drawn, ...]:
    """The lesions of a result that have voxels; what is no longer found has none, and is none of this scan."""
    found = []
    for finding in result.findings:
        if finding.segment is not None and is_lesion(finding):
            segmentation = result.segmentations[finding.segment.segmentation_index]
            mask = segmentation.segments[finding.segment.segment_number - 1].mask
            found.append(Drawn(finding=finding, mask=mask, geometry=segmentation.geometry))
    return tuple(found)
