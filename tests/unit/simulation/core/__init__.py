"""Scenes, palettes, filters: what every modality shares."""
