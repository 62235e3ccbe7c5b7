"""Received instances on the disk: written durably, inspected, replayed at start."""

from bmnode.spool.arrivals import record_arrival, stored_instance
from bmnode.spool.incoming import IncomingDataSet
from bmnode.spool.inspect import InstanceIdentity, inspect_data_set
from bmnode.spool.journal import JournalOptions
from bmnode.spool.replay import ReplayReport, file_journal, replay
from bmnode.spool.writer import GrowingFile, Spool, SpooledFile, StagedFile
from bmnode.storage import DueAt

__all__ = [
    "DueAt",
    "GrowingFile",
    "IncomingDataSet",
    "InstanceIdentity",
    "JournalOptions",
    "ReplayReport",
    "Spool",
    "SpooledFile",
    "StagedFile",
    "file_journal",
    "inspect_data_set",
    "record_arrival",
    "replay",
    "stored_instance",
]
