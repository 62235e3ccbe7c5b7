"""Response criteria: the worked cases of the clinical reference, boundaries and properties."""
