"""The administrator's command line. Importing it loads no DICOM library: `bmnode --help` answers at once."""

from bmnode.cli.entry import main

__all__ = ["main"]
