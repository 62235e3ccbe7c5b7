"""The acceptor."""
