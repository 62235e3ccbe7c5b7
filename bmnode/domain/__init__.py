"""What bmnode is about, in frozen dataclasses, enums and pure functions. Imports nothing of the node."""
