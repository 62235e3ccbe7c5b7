"""Whether a model knows left from right and head from feet, on a simulated patient."""
