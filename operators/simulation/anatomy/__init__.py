"""A person's skeleton and outline: labelled, posed, scaled and voxelised.

`source` reads the skeleton that the package `myo-sim` ships, `templates` turns each bone into
a depth field, `person` says who lies there, `pose` places the bones, `outline` wraps the body
around them, `voxels` puts all of it on a grid.
"""
