"""From images to studies: when is a study complete."""

from bmnode.assembly.assembler import Assembler
from bmnode.assembly.policy import CompletenessPolicy, QuietTime, Verdict

__all__ = ["Assembler", "CompletenessPolicy", "QuietTime", "Verdict"]
