"""The audit trail on its way out."""
