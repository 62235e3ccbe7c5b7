"""What branches and graph agree on."""
