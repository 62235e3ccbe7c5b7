"""Received instances on the disk: written durably, inspected, replayed at start."""

from bmnode.spool.arrivals import DueAt, record_arrival, stored_instance
from bmnode.spool.incoming import IncomingDataSet
from bmnode.spool.inspect import InstanceIdentity, inspect_data_set
from bmnode.spool.replay import ReplayReport, replay
from bmnode.spool.writer import GrowingFile, Spool, SpooledFile, StagedFile

__all__ = [
    "DueAt",
    "GrowingFile",
    "IncomingDataSet",
    "InstanceIdentity",
    "ReplayReport",
    "Spool",
    "SpooledFile",
    "StagedFile",
    "inspect_data_set",
    "record_arrival",
    "replay",
    "stored_instance",
]
