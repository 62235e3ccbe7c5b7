"""The database: tables, migrations, one repository a noun. The services' only interface to each other."""

from bmnode.storage.audit import AuditLine, AuditTrail
from bmnode.storage.commitments import Commitments
from bmnode.storage.database import Database
from bmnode.storage.deletion import DeletedRows, delete_content, emptied_jobs
from bmnode.storage.deliveries import Deliveries
from bmnode.storage.instances import InstanceLookup, Instances
from bmnode.storage.jobs import Jobs
from bmnode.storage.ledger import Ledger
from bmnode.storage.overview import FailedJob, Outbox, Overview
from bmnode.storage.priors import Examinations, FetchedPriors, PriorSearches
from bmnode.storage.results import Results
from bmnode.storage.retention import Disposable, disposable, dispose
from bmnode.storage.studies import DueAt, Studies, inputs_digest

__all__ = [
    "AuditLine",
    "AuditTrail",
    "Commitments",
    "Database",
    "DeletedRows",
    "Deliveries",
    "Disposable",
    "DueAt",
    "Examinations",
    "FailedJob",
    "FetchedPriors",
    "InstanceLookup",
    "Instances",
    "Jobs",
    "Ledger",
    "Outbox",
    "Overview",
    "PriorSearches",
    "Results",
    "Studies",
    "delete_content",
    "disposable",
    "dispose",
    "emptied_jobs",
    "inputs_digest",
]
