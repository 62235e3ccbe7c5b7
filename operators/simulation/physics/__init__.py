"""Images from scenes: array code on torch tensors, CPU or GPU, with numpy and torch alone.

`mixture` turns a scene into a map of any physical quantity by a palette of values; every other
module is one modality.
"""
