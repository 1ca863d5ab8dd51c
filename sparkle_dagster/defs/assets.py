"""The asset factory: one node of ``workflow.yaml`` becomes one software-defined asset, partitioned by production."""

from collections.abc import Iterator
from typing import Any, cast

import dagster as dg
from pydantic import Field

from contracts.errors import SparkleError
from contracts.production import TaskResult
from contracts.qa import QAReviewResult
from contracts.upload import UploadResult
from sparkle_dagster.defs.checks import check_results, check_specs
from sparkle_dagster.defs.executors import lane_arguments, retry_policy
from sparkle_dagster.defs.metadata import metadata_of
from sparkle_dagster.defs.partitions import PRODUCTIONS
from sparkle_dagster.execution.definition import store_definition
from sparkle_dagster.execution.intake import production_spec
from sparkle_dagster.execution.node_run import (
    NodeContext,
    artifact_field_names,
    code_version_of,
    failure_details,
    run_node,
)
from sparkle_dagster.execution.switches import NodeSwitches
from sparkle_dagster.observability.emitting import emit
from sparkle_dagster.observability.progress import ProgressFile
from sparkle_dagster.observability.run_events import queue_ms
from sparkle_dagster.workflow.graph import Node
from sparkle_dagster.workspace import Workspace, this_workspace


class NodeConfig(dg.Config):
    """Switches of one run; they do not change the configuration."""

    enabled: bool | None = Field(default=None, description="false: run the capability's no-op this time.")
    provider: str | None = Field(default=None, description="Use this provider alone this time, such as mouth_warp.")
    options: dict[str, Any] = Field(default_factory=dict, description="Its options that are changed this time.")
    force: bool = Field(default=False, description="true: make the result anew although the same one is stored.")


def asset_key(workspace: Workspace, name: str) -> dg.AssetKey:
    return dg.AssetKey([*workspace.key_prefix, name])


def build_node_assets(workspace: Workspace) -> list[dg.AssetsDefinition]:
    """One asset per node, in the order of the workflow."""
    return [_node_asset(workspace, node) for node in workspace.workflow.nodes]


def _node_asset(workspace: Workspace, node: Node) -> dg.AssetsDefinition:
    by_id = {"upload": "upload", **{other.id: other.asset_key for other in workspace.workflow.nodes}}
    wanted = workspace.registry.lane_of(node.capability, node.spec.provider)
    lane = wanted if node.spec.lane == "auto" else node.spec.lane
    code_version = code_version_of(node, workspace.registry.configured(node.capability, node.spec.provider))
    sources = ("upload", *node.data_upstream)

    def compute(
        context: dg.AssetExecutionContext, config: NodeConfig, **inputs: TaskResult
    ) -> Iterator[dg.MaterializeResult[Any]]:
        yield _materialize(context, config, node, code_version, inputs)

    return dg.asset(
        key=asset_key(workspace, node.asset_key),
        ins={source: dg.AssetIn(key=asset_key(workspace, by_id[source])) for source in sources},
        deps=[asset_key(workspace, by_id[other]) for other in node.order_upstream],
        partitions_def=PRODUCTIONS,
        io_manager_key="io_manager",
        required_resource_keys={node.capability},
        group_name=workspace.workflow.name.replace("-", "_"),
        kinds=_kinds(node),
        owners=list(node.spec.owners),
        tags={"sparkle/capability": node.capability, "sparkle/node": node.id, "sparkle/lane": lane},
        description=node.spec.description or (node.task.__doc__ or "").strip().splitlines()[0],
        code_version=code_version,
        **lane_arguments(workspace, lane),
        retry_policy=retry_policy(workspace),
        check_specs=check_specs(workspace, node, asset_key(workspace, node.asset_key)),
    )(compute)


def _kinds(node: Node) -> set[str]:
    """What the UI draws on the node: the medium it makes."""
    media = {"aligned_video": "video", "assembled_video": "video"}
    return {
        "python",
        next((media[name] for name in artifact_field_names(node.task.result_type) if name in media), "json"),
    }


def _materialize(
    context: dg.AssetExecutionContext,
    config: NodeConfig,
    node: Node,
    code_version: str,
    inputs: dict[str, TaskResult],
) -> dg.MaterializeResult[Any]:
    workspace = this_workspace()
    registry = getattr(context.resources, node.capability).registry
    upload = cast(UploadResult, inputs.pop("upload"))
    production = context.partition_key
    with ProgressFile(workspace.settings.home, production, node.id, context.run_id) as progress:
        try:
            node_context = NodeContext(
                production=production_spec(upload, production, workspace),
                store=workspace.store,
                run_id=context.run_id,
                code_version=code_version,
                definition=store_definition(workspace.store, workspace.definition),
                emit=lambda event: emit(workspace, event),
                progress=progress,
                logger=context.log,
                queue_ms=queue_ms(context, workspace, node),
            )
            switches = NodeSwitches(
                enabled=config.enabled,
                provider=config.provider,
                options=config.options or None,
                force=config.force,
            )
            outcome = run_node(node, upload, inputs, registry, node_context, switches)
        except SparkleError as error:
            raise failure_of(node.id, error) from error
    key = context.asset_key
    return dg.MaterializeResult(
        value=outcome,
        data_version=dg.DataVersion(outcome.data_version),
        metadata=metadata_of(outcome, workspace),
        tags={"sparkle/fidelity": outcome.result.fidelity.value, "sparkle/provider": outcome.record.provider},
        check_results=check_results(workspace, outcome.result, key)
        if isinstance(outcome.result, QAReviewResult)
        else [],
    )


def failure_of(node_id: str, error: SparkleError) -> dg.Failure:
    """A typed error as Dagster shows it; never retried by Dagster."""
    metadata = {
        key: dg.MetadataValue.json(value) if isinstance(value, list) else dg.MetadataValue.text(value)
        for key, value in failure_details(error).items()
    }
    return dg.Failure(f"{node_id}: {error}", metadata={"node": node_id, **metadata}, allow_retries=False)
