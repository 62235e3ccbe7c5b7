"""What the simulator gets right, and where it does not: measured values beside published ranges."""
