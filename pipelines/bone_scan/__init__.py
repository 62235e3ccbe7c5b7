"""The bone_scan branch."""
