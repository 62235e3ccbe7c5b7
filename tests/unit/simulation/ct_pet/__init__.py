"""CT and PET: Hounsfield units, activity, their noise, and where they look."""
