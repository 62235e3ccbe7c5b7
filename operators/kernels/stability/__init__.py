"""Imaging parts of stability scores: SINS for the spine, Mirels for long bones, and the collapse they need."""
