"""bmnode: a DICOM node that finds, measures and follows bone metastases beside a PACS."""

__version__ = "0.1.0"
MANUFACTURER = "bmnode project"
MODEL_NAME = "bmnode"
RESEARCH_USE_ONLY = "RESEARCH USE ONLY - not for diagnostic or treatment decisions"
"""Stands at the head of every output."""
