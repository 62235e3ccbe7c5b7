"""The survey's architecture families as torch modules. Tensors in, tensors out; no file is read here."""
