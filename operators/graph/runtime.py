"""The one door to MONAI Deploy: sets the process up for it, then hands out what the graph needs of it.

Holoscan looks at the stack limit while it is imported and warns below 32 MB, and its C++ side
logs to standard output from the first line, even what comes out of `run()` as an exception.
Both are settled here, before the import.
"""

from __future__ import annotations

import os
import resource

_STACK_BYTES = 32 * 1024 * 1024
"""What Holoscan asks for."""


def _raise_stack_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = _STACK_BYTES if hard == resource.RLIM_INFINITY else min(_STACK_BYTES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))


_raise_stack_limit()
os.environ.setdefault("HOLOSCAN_LOG_LEVEL", "CRITICAL")
os.environ.setdefault("HOLOSCAN_EXECUTOR_LOG_LEVEL", "CRITICAL")

from holoscan.logger import LogLevel, set_log_level  # noqa: E402 - the environment comes first
from monai.deploy.conditions import (  # type: ignore[attr-defined]  # noqa: E402 - as below
    CountCondition,
)
from monai.deploy.core import (  # type: ignore[attr-defined]  # noqa: E402 - re-exported; the environment comes first
    Application,
    Operator,
    OperatorSpec,
)

set_log_level(LogLevel.CRITICAL)

__all__ = ["Application", "CountCondition", "Operator", "OperatorSpec"]
