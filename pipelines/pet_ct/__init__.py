"""The pet_ct branch."""
