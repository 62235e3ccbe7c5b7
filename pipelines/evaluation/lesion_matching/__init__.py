"""How well lesions of two scans are matched, against simulated follow-ups whose lesions' fates are known."""
