"""Organs, vessels, lungs, discs and canal, shaped around a person's bones."""
