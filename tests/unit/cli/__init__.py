"""Unit tests of bmnode.cli."""
