"""Training of the two-view network on simulated planar scans."""
