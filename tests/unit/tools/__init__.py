"""Commands of the image science."""
