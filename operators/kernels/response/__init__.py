"""Response criteria as pure engines: time points in, a category with its inputs and its unknowns out."""
