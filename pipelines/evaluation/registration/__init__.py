"""How well two scans of a patient are registered, against simulated follow-ups whose motion of every bone is known."""
