"""Uptake, planar scintigraphy, SPECT."""
