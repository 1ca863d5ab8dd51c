"""What can be chosen for a production: read from the tool registry and the workflow, never listed by hand."""

from typing import get_args

from contracts.production import CaptionPolicy
from contracts.service import Choices, NodeChoice, ProviderChoice
from sparkle_dagster.execution.inbox import ROLE_BY_SUFFIX, ROLES
from sparkle_dagster.workspace import Workspace


def choices_of(workspace: Workspace) -> Choices:
    """For a form, or a control panel."""
    reports = {report.capability: report for report in workspace.registry.describe()}
    settings = workspace.registry.settings
    web = settings.services.webserver
    return Choices(
        workflow=workspace.workflow.name,
        nodes=tuple(
            NodeChoice(
                node_id=node.id,
                capability=node.capability,
                enabled=reports[node.capability].enabled,
                selected=reports[node.capability].selected,
                providers=tuple(
                    ProviderChoice(name=item.name, state=item.state, reason=item.reason, licence=item.licence)
                    for item in reports[node.capability].providers
                ),
            )
            for node in workspace.workflow.nodes
        ),
        profiles=tuple(workspace.registry.profiles),
        captions=get_args(CaptionPolicy),
        language=settings.language,
        suffixes={
            role: tuple(suffix for suffix, its in ROLE_BY_SUFFIX.items() if its == role)
            for role in ROLES
            if role != "options"
        },
        max_bytes=settings.uploads.max_bytes,
        links={"dagster": f"http://{web.host}:{web.port}"},
    )
