"""Comparison with an earlier scan of the patient."""
