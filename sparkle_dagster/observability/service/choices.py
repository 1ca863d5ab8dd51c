"""What can be chosen for a production: read from the tool registry and the workflow, never listed by hand."""

from typing import get_args

from contracts.production import CaptionPolicy
from contracts.service import Choices, NodeChoice, PlannedStep, PlanRequest, ProviderChoice, StartPlan
from sparkle_dagster.cli.plans import chosen_switches
from sparkle_dagster.cli.runs import known_keys
from sparkle_dagster.execution.inbox import ROLE_BY_SUFFIX, ROLES, digest_of_file, identity_of, known_key
from sparkle_dagster.execution.plan import Planner
from sparkle_dagster.workspace import Workspace


def start_plan_of(workspace: Workspace, wanted: PlanRequest) -> StartPlan:
    """What would run with these switches. Raises: ConfigError: they cannot be met."""
    pinned = [f"{node_id}={name}" for node_id, name in wanted.provider.items()]
    switches = chosen_switches(workspace, disable=wanted.disable, provider=pinned)
    nodes = Planner(workspace).first_run(switches)
    return StartPlan(
        production=_known(workspace, wanted),
        nodes=tuple(
            PlannedStep.model_validate(
                {"node_id": node.node_id, "planned": node.planned.value, "provider": node.provider, "why": node.why}
            )
            for node in nodes
        ),
    )


def _known(workspace: Workspace, wanted: PlanRequest) -> str:
    """The production that these files are already; empty where they are none."""
    if not wanted.audio:
        return ""
    identity = identity_of(wanted.audio, wanted.face or digest_of_file(workspace.presenter))
    return known_key(identity, known_keys(workspace)) or ""


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
