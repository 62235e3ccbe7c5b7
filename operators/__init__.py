"""Image science: kernels, readers, the operator graph."""
