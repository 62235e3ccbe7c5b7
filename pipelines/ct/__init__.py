"""The ct branch."""
