"""A gamma camera with a parallel-hole collimator for low energies: what is the same in every scan."""

from __future__ import annotations

INTRINSIC_FWHM_MM = 3.8
"""Of the crystal and its electronics; makers state 3 to 4 mm (chosen)."""
HOLE_MM = 35.0
"""Effective length of the holes with the gap behind them: the geometric blur grows from here (chosen)."""
ENERGY_RESOLUTION = 0.095
"""FWHM at 140 keV relative to the energy; makers state 9 to 10 % (chosen)."""
ELECTRON_KEV = 510.999
PHOTONS_MM = 0.0026544
"""Electrons in a cubic millimetre of water times the classical electron radius squared, 1/mm."""
HIGHER_ORDERS = 1.12
"""Photons scattered more than once are this much of those scattered once, in the photopeak (chosen)."""
HIGHER_ORDERS_LOWER = 1.35
"""The same in the lower window (chosen)."""
LOWER_WINDOW = (0.80, 0.90)
"""Of the photopeak's energy: the scatter window lies just below a photopeak window of 20 % (chosen)."""
SCATTER_REACH_MM = 230.0
"""Beyond this distance from where a photon was emitted its scatter is left out; some percents of it."""
HAZE = 0.025
"""Share of the counts that collimator and crystal spread widely. Chosen so that the gap between the legs holds
about 1.5 % of the counts of the legs, as in the real scan of `pydicom-data`."""
HAZE_FWHM_MM = 120.0
CONTOUR_MM = 200.0
"""Half the length of a detector: above the highest skin within it the anterior detector keeps its distance."""
COUCH_MM = 20.0
"""The couch between the back and the posterior detector (chosen)."""
COUCH_TRANSMISSION = 0.95
"""Of 140 keV photons (chosen)."""
SENSITIVITY_CPS_MBQ = 80.0
"""Of one detector, in air, for a 20 % window; makers state 70 to 100 for high resolution (chosen)."""
DETECTOR_LENGTH_MM = 400.0
"""Along the body; divided by the table's speed it is the time for which each place is seen."""
WATER_MU_MM = 0.01537
"""Attenuation of water at 140.5 keV, 1/mm (XCOM, narrow beam); density of electrons is taken relative to it."""
SENSITIVITY_WINDOW_PERCENT = 20.0
EMPTY_MARGIN_MM = 150.0
"""Beyond head and feet; counts that are spread farther are lost."""
