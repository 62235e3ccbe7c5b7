"""Synthetic patients whose truth is known. Truth never reaches an operator: nothing here is imported by one."""
