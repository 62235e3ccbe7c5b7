"""What the command line reaches by entry point, outside any job."""
