"""The spect branch."""
