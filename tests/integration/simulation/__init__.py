"""Simulated studies from skeleton to DICOM."""
