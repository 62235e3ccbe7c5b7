"""Cohort files and what is drawn from them."""
