"""Choosing a branch from headers."""
