"""The command line against real sockets."""
