"""Compositions: the one MONAI Deploy application and its branches."""
