"""Cohorts: a TOML file says what the patients may be like, a seed says who they are.

`specification` reads and checks a file against the tables in `keys`, `draw` makes patient i from
(cohort, seed, i) alone, `work` writes the studies in several processes, `command` is what
`bmnode simulate` calls.
"""
