"""Unit tests of bmnode.observe."""
