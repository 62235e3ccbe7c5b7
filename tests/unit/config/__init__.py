"""Unit tests of bmnode.config."""
