"""Networks, and bundles brought to life."""
