"""Which bone a place lies in: a map of named bones from a mask of bone, behind one interface."""
