"""Tests of operators/."""
