"""Model bundles as folders: read, checked, installed. No weight is ever computed with here."""
