"""The artifact store as Dagster's IO manager: moves typed results; media stay in the store under their digests."""

import dagster as dg

from contracts.production import TaskResult
from sparkle_dagster.defs.run_lock import hold_run
from sparkle_dagster.execution.commit import commit_outcome
from sparkle_dagster.execution.node_run import NodeOutcome
from sparkle_dagster.observability.emitting import emit
from sparkle_dagster.observability.run_events import committed
from sparkle_dagster.workspace import this_workspace


class ArtifactIOManager(dg.ConfigurableIOManager):
    """Commits a node's outcome as the next generation of ``<asset>/<production>``; reads the newest back.

    The terminal event goes out after the commit.
    """

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Every process of a step holds the run's file: a run is not lost while one of its steps still works."""
        if context.run_id:
            hold_run(this_workspace().settings.home, context.run_id)

    def handle_output(self, context: dg.OutputContext, obj: NodeOutcome) -> None:
        store, asset, production = this_workspace().store, context.asset_key.path[-1], context.asset_partition_key
        manifest = commit_outcome(store, asset, production, obj, f"{context.run_id}:{context.step_key}")
        context.add_output_metadata({"generation": dg.MetadataValue.int(manifest.generation)})
        emit(this_workspace(), obj.terminal or committed(obj, this_workspace(), str(context.asset_partition_key)))

    def load_input(self, context: dg.InputContext) -> TaskResult:
        """The newest committed result of the upstream asset, verified and upgraded to today's contract."""
        workspace = this_workspace()
        asset = context.asset_key.path[-1]
        return workspace.result_types[asset].parse(workspace.read_result(asset, context.asset_partition_key))
