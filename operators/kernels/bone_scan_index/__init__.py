"""Bone Scan Index: coefficient tables, involvement by region from two views, the index with its coverage."""
