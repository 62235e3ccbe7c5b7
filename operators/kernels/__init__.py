"""Pure functions on arrays with geometry."""
