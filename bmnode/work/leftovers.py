"""What a killed worker left beside the results: folders of attempts that no row names."""

from __future__ import annotations

from pathlib import Path

from bmnode.run.attempts import attempts_in, keep_only
from bmnode.storage import Database, Jobs, Results
from bmnode.storage.jobs import UNFINISHED


def remove_leftovers(database: Database, results_dir: Path) -> int:
    """Remove the attempts of ended jobs that are not their result. Returns how many folders of jobs were tidied.

    A worker that is killed between the commit of a result and its own tidying leaves them. Before
    the engine starts only, so that nobody writes there. A folder whose job is not in the database
    is left alone: it may be all that is left of it.
    """
    if not results_dir.is_dir():
        return 0
    tidied = 0
    with database.read() as connection:
        for folder in results_dir.iterdir():
            job = Jobs(connection).find(folder.name)
            if job is None or job.state in UNFINISHED:
                continue
            kept = {Path(item.path).parts[1] for item in Results(connection).of_job(job.job_id)}
            if attempts_in(folder) - kept:
                keep_only(folder, kept)
                tidied += 1
    return tidied
