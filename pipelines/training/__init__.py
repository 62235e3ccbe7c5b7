"""What the default models and atlases are made with."""
