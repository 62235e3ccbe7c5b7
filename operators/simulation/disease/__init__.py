"""Metastases, what imitates them, and how both change from scan to scan."""
