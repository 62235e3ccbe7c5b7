"""One thin Operator a file."""
