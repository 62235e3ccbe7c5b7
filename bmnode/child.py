"""The worker's child process, put together: `python -m bmnode.child`. Only here the node loads pipelines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import bmnode
from bmnode.domain.objects import DEFAULT_ENCODINGS, SegEncoding
from bmnode.domain.results import ResultSet
from bmnode.results.context import WriteContext
from bmnode.results.wire import save_result_set
from bmnode.results.write import write_results
from bmnode.run.child import Child, ChildArguments, guard
from bmnode.run.compute import Computation
from bmnode.run.pipelines import load_pipelines
from bmnode.run.runner import RunObject, RunRequest


def write(result_set: ResultSet, *, request: RunRequest, pipeline_version: str, out_dir: Path) -> tuple[RunObject, ...]:
    """Keep the result set and write its DICOM objects; see `bmnode.run.compute.WriteResults`."""
    save_result_set(result_set, out_dir)
    context = WriteContext(
        job_digest=request.job_digest,
        created_at=request.created_at,
        software_version=bmnode.__version__,
        pipeline_name=request.pipeline,
        pipeline_version=pipeline_version,
        output=request.output,
        predecessors=request.predecessors,
    )
    # Without a segmentation of a volume every encoding would say the same.
    encodings = request.output.seg_encodings if result_set.segmentations else DEFAULT_ENCODINGS
    return tuple(
        RunObject(
            kind=item.kind.value,
            sop_class_uid=item.sop_class_uid,
            sop_instance_uid=item.sop_instance_uid,
            series_uid=item.series_instance_uid,
            path=str(item.path.relative_to(out_dir)),
            sha256=item.sha256,
        )
        for encoding in encodings
        for item in write_results(
            result_set,
            source_files=request.files,
            out_dir=out_dir if encoding is SegEncoding.BINARY else out_dir / encoding,
            context=context.encoded(encoding),
        )
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the parent that is named on the command line until it wants no more."""
    arguments = ChildArguments.from_argv(sys.argv[1:] if argv is None else argv)
    guard(arguments)
    pipelines, failed = load_pipelines(arguments.models)
    computation = Computation(pipelines=pipelines, write=write)
    Child(computation=computation, failed=failed, reply_fd=arguments.reply_fd).serve()


if __name__ == "__main__":
    main()
