"""What the node tells of itself: the log and pseudonymous references. Neither carries a patient's identity."""
