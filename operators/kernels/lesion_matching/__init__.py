"""Which lesion of the prior scan is which of the current one."""
