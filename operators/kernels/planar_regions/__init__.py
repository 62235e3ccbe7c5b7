"""Which bone a pixel of a planar whole-body scan shows."""
