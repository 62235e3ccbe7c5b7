"""Planar scintigraphy."""
