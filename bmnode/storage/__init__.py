"""The database: tables, migrations, one repository a noun. The services' only interface to each other."""

from bmnode.storage.audit import AuditTrail
from bmnode.storage.database import Database
from bmnode.storage.deliveries import Deliveries
from bmnode.storage.instances import Instances
from bmnode.storage.jobs import Jobs
from bmnode.storage.results import Results
from bmnode.storage.studies import Studies

__all__ = ["AuditTrail", "Database", "Deliveries", "Instances", "Jobs", "Results", "Studies"]
