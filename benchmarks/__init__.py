"""Scripts that measure speed and memory against their targets, each in one run."""
