"""Bundles brought to life: the network of a checked bundle with its weights."""
