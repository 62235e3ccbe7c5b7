"""Which branch a study takes and which rules apply to it, from headers alone (design section 3).

`headers` reads, `classify` decides, `rules` routes. Nothing here decodes pixels or loads more than pydicom.
"""

from bmnode.selection.classify import classify
from bmnode.selection.headers import StudyReading, read_study, read_study_headers
from bmnode.selection.rules import RouteRule, RuleMatch, explain_no_match, match

__all__ = [
    "RouteRule",
    "RuleMatch",
    "StudyReading",
    "classify",
    "explain_no_match",
    "match",
    "read_study",
    "read_study_headers",
]
