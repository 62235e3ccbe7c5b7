"""How a SPECT camera counts and what its reconstruction makes of it."""

from __future__ import annotations

NOISE_GAIN = 5.0
"""Relative variance of a value, times the counts from its resolution cell [P].

1 would be the counts of the cell alone; a reconstruction shares the noise of what lies in front and behind. Chosen so
that muscle beside the spine has about a fifth, a vertebra less than a tenth under the default protocol.
"""
NOISE_FWHM_SHARE = 0.85
"""Width of the noise's correlation by the resolution: what iterations and filter leave [P]."""
LARGEST_LOG_SD = 1.0
"""Of the log-normal noise, where there is hardly any activity."""
SCATTER_SHARE = 0.35
"""Counts that scatter adds to the primary ones where it is not corrected [P]."""
BACKGROUND_SUV = 0.004
"""What scatter and its correction leave in air, on average [P]."""
