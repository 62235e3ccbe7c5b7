"""Every error that bmnode raises on purpose.

One root, shallow families. The docstring of a class says what it means and what the
administrator should do. No message may carry a patient's name, ID or birth date: use the
pseudonymous reference from `bmnode.observe`.
"""

from __future__ import annotations

from typing import ClassVar


class BmnodeError(Exception):
    """Something that bmnode knows how to name. The message states the remedy."""

    retryable: ClassVar[bool] = False
    """Whether doing the same again later may succeed."""
    exit_code: ClassVar[int] = 1
    """What the command line exits with."""


class ConfigError(BmnodeError):
    """The configuration cannot be used. Correct the key that the message names."""

    exit_code = 2


class NotFoundError(BmnodeError):
    """The study, job, peer or file that was named does not exist. List what does."""

    exit_code = 3


class RefusedError(BmnodeError):
    """The images do not carry what the measurement needs. The message names what is missing."""

    exit_code = 10


class MissingToolError(BmnodeError):
    """This command needs libraries that are not installed. The message names the extra to install."""


class BundleRefusedError(BmnodeError):
    """A model bundle is not used. The message names file and reason; ask whoever made the bundle for a whole one."""

    exit_code = 7

    def __init__(self, message: str, *, fault: str) -> None:
        super().__init__(f"{fault}: {message}")
        self.fault = fault


class TransitionError(BmnodeError):
    """An event arrived in a state that does not allow it. A defect of bmnode: report it."""


# --- receiving -----------------------------------------------------------------------


class IngestError(BmnodeError):
    """An instance was not taken. The sender still has it and was told so by the status."""

    dimse_status: ClassVar[int] = 0x0110
    """C-STORE status (PS3.4 B.2.3, PS3.7 C.5): processing failure unless a subclass knows better."""
    code: ClassVar[str] = "processing_failure"


class MalformedInstanceError(IngestError):
    """The data set cannot be understood (truncated, no identifiers). Look at the sender."""

    dimse_status = 0xC000
    code = "malformed_instance"


class MismatchedInstanceError(IngestError):
    """Command set and data set name different instances or classes. Look at the sender."""

    dimse_status = 0xA900
    code = "mismatched_instance"


class ConflictingInstanceError(IngestError):
    """Other bytes came under a SOP Instance UID that is already kept. The first stays."""

    dimse_status = 0x0111
    code = "conflicting_instance"


class SpoolFullError(IngestError):
    """The spool's disk is below its watermark. Free space; receiving resumes by itself."""

    retryable = True
    dimse_status = 0xA700
    code = "spool_full"


# --- storage and work ----------------------------------------------------------------


class StorageError(BmnodeError):
    """The database refused or is missing. Check `[database] url`, its disk and its rights."""

    retryable = True


class NodeLockedError(BmnodeError):
    """Another process runs this node on the same data directory. Stop it first."""

    exit_code = 4


class RunError(BmnodeError):
    """A job's attempt failed."""

    code: ClassVar[str] = "run_failed"


class ChildCrashedError(RunError):
    """The job's child process ended without an answer. It is tried again."""

    retryable = True
    code = "child_crashed"


class RunTimedOutError(RunError):
    """The job took longer than `[run] timeout_s`. It is tried again; raise the limit if it repeats."""

    retryable = True
    code = "run_timed_out"


class PipelineFailedError(RunError):
    """The pipeline raised. The same input will raise again: see `job show`, report it."""

    code = "pipeline_failed"


class InputError(RunError):
    """The study's files cannot be read as the branch needs them. The reason goes into the SR."""

    code = "input_unreadable"


class SimulationError(BmnodeError):
    """A cohort was not simulated to its end. What is finished stays; the same command goes on from there."""


# --- results and delivery ------------------------------------------------------------


class ResultError(BmnodeError):
    """A result object failed its checks and was not released. A defect of bmnode: report it."""


class DeliveryError(BmnodeError):
    """A destination did not take an object."""


class PeerUnreachableError(DeliveryError):
    """No association with the peer. Check host, port, AE titles; it is tried again."""

    retryable = True
    exit_code = 5


class AssociationRejectedError(PeerUnreachableError):
    """The peer rejected the association. Have its administrator let this node's AE title and address in."""

    def __init__(self, message: str, *, reason: tuple[int, int, int]) -> None:
        super().__init__(message)
        self.reason = reason
        """Result, source and reason of PS3.8 Table 9-21."""


class PeerRefusedError(DeliveryError):
    """The peer answered with a failure status or refused the presentation context."""

    exit_code = 6

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
