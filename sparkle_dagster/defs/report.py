"""The ``report`` asset: the page and the summary that every production ends with."""

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from contracts.base import least
from contracts.errors import SparkleError
from contracts.events import NodeRecord, NodeStatus
from contracts.qa import QAReviewResult, Verdict
from contracts.report import ReportResult
from sparkle_dagster.artifacts.disk_errors import typed_errors
from sparkle_dagster.defs.assets import asset_key, failure_of
from sparkle_dagster.defs.partitions import PRODUCTIONS
from sparkle_dagster.execution.node_run import NodeOutcome, data_version_of
from sparkle_dagster.observability.production_view import Production, summarize, view_production
from sparkle_dagster.observability.report_page import write_report
from sparkle_dagster.workspace import Workspace, this_workspace

CODE_VERSION = "1"


def build_report_asset(workspace: Workspace) -> dg.AssetsDefinition:
    """Waits for every node of the workflow."""

    def compute(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        workspace = this_workspace()
        try:
            outcome = make_report(view_production(workspace, context.partition_key), context.run_id)
        except SparkleError as error:
            raise failure_of("report", error) from error
        result = outcome.result
        assert isinstance(result, ReportResult)
        yield dg.MaterializeResult(
            value=outcome,
            data_version=dg.DataVersion(outcome.data_version),
            metadata={
                "verdict": result.verdict.value,
                "fidelity": result.fidelity.value,
                "page": result.page.checksum,
                "open": dg.MetadataValue.md(f"`sparkle export {context.partition_key} --to out`, then out/report.html"),
                **page_link(workspace, context.partition_key),
            },
        )

    return dg.asset(
        key=asset_key(workspace, "report"),
        deps=[asset_key(workspace, name) for name in workspace.result_types],
        partitions_def=PRODUCTIONS,
        io_manager_key="io_manager",
        group_name=workspace.workflow.name.replace("-", "_"),
        kinds={"python", "html"},
        tags={"sparkle/node": "report", "sparkle/lane": "cpu"},
        description="One self-contained page: the video, its checks, how each part was made, and how to make it again.",
        code_version=CODE_VERSION,
        op_tags={"sparkle/lane": "cpu"},
    )(compute)


def page_link(workspace: Workspace, production: str) -> dict[str, dg.MetadataValue[Any]]:
    """Where the status service shows the page; nothing where none is configured, or where its port is not fixed."""
    service = workspace.registry.settings.services.status
    if service is None or not service.port:
        return {}
    return {"live": dg.MetadataValue.url(f"http://{service.host}:{service.port}/view/{production}")}


def make_report(production: Production, run_id: str) -> NodeOutcome:
    """Render and store the page and the summary."""
    summary = summarize(production)
    store = production.workspace.store
    review = production.newest(QAReviewResult)
    with typed_errors("write the page", Path(tempfile.gettempdir())), tempfile.TemporaryFile() as file:
        write_report(production, summary, file)
        file.seek(0)
        page = store.put(file, "text/html")
    result = ReportResult(
        provider="platform",
        fidelity=least(*(stage.result.fidelity for stage in production.stages)),
        page=page,
        summary=store.put(io.BytesIO(summary.model_dump_json(indent=2).encode()), "application/json"),
        verdict=review.verdict if review else Verdict.NOT_REVIEWED,
    )
    record = NodeRecord(
        node_id="report",
        provider="platform",
        fidelity=result.fidelity,
        status=NodeStatus.SUCCEEDED,
        run_id=run_id,
        code_version=CODE_VERSION,
        inputs={stage.node_id: stage.data_version for stage in production.stages},
    )
    return NodeOutcome(result, record, data_version_of(result))
