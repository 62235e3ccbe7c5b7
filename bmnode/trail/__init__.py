"""The audit trail on its way out: to a file and to a syslog server. The trail in the database is the source."""
