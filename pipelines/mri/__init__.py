"""The mri branch."""
