"""Long runs that try to break the node: `python -m tests.soak`. `make test` runs a fixed small sample of each."""
