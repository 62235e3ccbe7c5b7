"""Model bundles: read, checked, installed."""
