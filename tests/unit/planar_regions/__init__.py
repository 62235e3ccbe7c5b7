"""Parts of a planar view."""
