"""Processes that simulate side by side. What one computes does not depend on how many there are."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from bmnode.errors import SimulationError
from bmnode.parent_death import die_with_parent

Result = TypeVar("Result")
_ONE_THREAD: Mapping[str, str] = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def side_by_side(
    work: Callable[..., Result], jobs: Sequence[tuple[Any, ...]], *, workers: int, first: tuple[Any, ...] | None = None
) -> Iterator[tuple[int, Result]]:
    """Do jobs in fresh processes; yields (number of the job, its result) as they end.

    When the caller stops early, by an error or Ctrl-C, the processes are ended at once: work has to
    leave files that a rerun can tell apart as unfinished.

    Args:
        work: a function that a fresh interpreter can import; called with a job's values.
        jobs: what to do, in this order.
        workers: processes.
        first: a job that is done alone before all others, and whose result is dropped.

    Raises SimulationError where a process was killed; whatever `work` raises is raised here.
    """
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    with _one_thread_each():
        pool = ProcessPoolExecutor(max_workers=max(1, min(workers, len(jobs))), mp_context=context, initializer=_begin)
        try:
            if first is not None:
                pool.submit(work, *first).result()
            yield from _as_they_end({pool.submit(work, *job): number for number, job in enumerate(jobs)})
        except BrokenProcessPool as error:
            raise SimulationError(
                "a worker process was ended from outside, most likely for want of memory: take fewer --workers; "
                "the same command goes on where it stopped"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()


def _as_they_end(pending: dict[Future[Result], int]) -> Iterator[tuple[int, Result]]:
    while pending:
        done, _ = wait(pending, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=pending.__getitem__):
            yield pending.pop(future), future.result()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """The environment of the processes: sums are then made in one order, and cores are not shared twice over."""
    kept = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _begin() -> None:
    """At the start of each process: Ctrl-C is the parent's to answer, and nobody outlives it."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    torch.set_num_threads(1)
