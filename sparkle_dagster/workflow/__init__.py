"""What is declared: ``workflow.yaml`` loaded, checked and bound. Not here: Dagster, providers, or running anything."""

from sparkle_dagster.workflow.bind import bind
from sparkle_dagster.workflow.graph import UPLOAD, BoundInput, Node, Workflow
from sparkle_dagster.workflow.load import load_workflow
from sparkle_dagster.workflow.mermaid import workflow_graph_mermaid

__all__ = ["UPLOAD", "BoundInput", "Node", "Workflow", "bind", "load_workflow", "workflow_graph_mermaid"]
