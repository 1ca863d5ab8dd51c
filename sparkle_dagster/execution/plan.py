"""What a run of a production would do, node by node, before it runs: RUN, HIT or PASS, and why.

The same keys decide here as in a node's run, so a plan is kept. What cannot be met exactly is refused; nothing is ever
widened. Not here: starting a run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from contracts.base import Fidelity
from contracts.errors import ArtifactMissing, ConfigError, ContractViolation
from contracts.events import NodeRecord
from contracts.tasks import Task
from contracts.upload import UploadResult
from sparkle_dagster.artifacts.manifests import Manifest
from sparkle_dagster.execution.conditions import RUNS_ALWAYS, decide, values_in
from sparkle_dagster.execution.contents import Contents, contents_of, differences
from sparkle_dagster.execution.history import Estimate, History, voice_seconds_of
from sparkle_dagster.execution.intake import production_spec
from sparkle_dagster.execution.memo import Keyed, find_place, keyed
from sparkle_dagster.execution.node_run import code_version_of
from sparkle_dagster.execution.selection import REPORT, Selection
from sparkle_dagster.execution.switches import NodeSwitches, as_decided, refuse_conflict
from sparkle_dagster.registry.candidates import ProviderCandidate
from sparkle_dagster.workflow.expressions import Decision
from sparkle_dagster.workflow.graph import UPLOAD, Node
from sparkle_dagster.workspace import Workspace


class Planned(StrEnum):
    RUN = "RUN"
    HIT = "HIT"
    PASS = "PASS"  # noqa: S105 - the no-op hands on what it got


@dataclass(frozen=True)
class PlannedNode:
    """One node of a plan."""

    node_id: str
    asset: str
    planned: Planned
    is_current: bool
    """Its newest result is what a run would give: nothing is to be done."""
    provider: str
    why: str
    estimate: Estimate | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be made of one production."""

    production: str
    nodes: tuple[PlannedNode, ...]
    assets: tuple[str, ...]
    """To be materialized, in order; empty when everything is as it would be made."""
    switches: Mapping[str, NodeSwitches] = field(default_factory=dict[str, NodeSwitches])

    @property
    def seconds(self) -> Estimate | None:
        """Of all nodes that run; None where one of them never ran here."""
        running = [node.estimate for node in self.nodes if node.planned is Planned.RUN and node.asset in self.assets]
        known = [estimate for estimate in running if estimate is not None]
        if len(known) != len(running):
            return None
        return Estimate(
            seconds=sum(item.seconds for item in known),
            least=sum(item.least for item in known),
            most=sum(item.most for item in known),
            count=min((item.count for item in known), default=0),
        )


@dataclass
class Planner:
    """Plans productions of one workspace; what it has read of the past is kept between them."""

    workspace: Workspace
    history: History | None = None

    def plan(
        self,
        production: str,
        selection: Selection | None = None,
        switches: Mapping[str, NodeSwitches] | None = None,
    ) -> Plan:
        """Plan the selected nodes, or all that is not up to date.

        Args:
            switches: by node id.

        Raises:
            ConfigError: something that was asked for cannot be done exactly.
            ArtifactMissing: the production was never taken in.
        """
        self.history = self.history or History(self.workspace)
        return _Planning(self.workspace, self.history, production, selection, switches or {}).plan()

    def first_run(self, switches: Mapping[str, NodeSwitches]) -> tuple[PlannedNode, ...]:
        """What the first run of an upload would do as far as its files do not matter: conditions, and results that are
        stored, are found as it runs.

        Raises:
            ConfigError: a node that nobody can do here.
        """
        return tuple(
            self._first_run(node, switches.get(node.id, NodeSwitches())) for node in self.workspace.workflow.nodes
        )

    def _first_run(self, node: Node, switches: NodeSwitches) -> PlannedNode:
        registry = self.workspace.registry
        candidates = registry.candidates(
            node.capability, enabled=switches.enabled, provider=switches.provider or node.spec.provider
        )
        reasons = {candidate.name: registry.unavailable(candidate, node.spec.lane) for candidate in candidates}
        first = next((candidate for candidate in candidates if reasons[candidate.name] is None), None)
        if first is None:
            raise _nobody(node, [f"{name}: {reason}" for name, reason in reasons.items()])
        if first.is_no_op:
            why = "turned off for this run" if switches.enabled is False else f"{node.capability} is turned off"
            return PlannedNode(node.id, node.asset_key, Planned.PASS, False, first.name, why)
        passed_over = [f"{name}: {reason}" for name, reason in reasons.items() if reason is not None]
        why = "; ".join(passed_over) or "found stored where the same was made before"
        return PlannedNode(node.id, node.asset_key, Planned.RUN, False, first.name, why)


@dataclass
class _Planning:
    workspace: Workspace
    history: History
    production: str
    selection: Selection | None
    switches: Mapping[str, NodeSwitches]
    manifests: dict[str, Manifest] = field(default_factory=dict[str, Manifest])
    """By node id, with ``upload``: the newest."""
    contents: dict[str, Contents] = field(default_factory=dict[str, Contents])
    """Of results that are known now; those of nodes that run are not."""
    stored: dict[str, Manifest] = field(default_factory=dict[str, Manifest])
    """By node id: results of the past that would be used again."""
    planned: dict[str, PlannedNode] = field(default_factory=dict[str, PlannedNode])

    def plan(self) -> Plan:
        self._read()
        upload = UploadResult.parse(self.manifests[UPLOAD].document["result"])
        self.spec = production_spec(upload, self.production, self.workspace)
        self.voice_seconds = voice_seconds_of(self.manifests[UPLOAD].document["result"])
        selected = self.selection.nodes if self.selection else {node.id for node in self.workspace.workflow.nodes}
        for node in self.workspace.workflow.nodes:
            if node.id in selected:
                found = self._planned(node)
                self.planned[node.id] = found
                if not found.is_current:
                    self._forget(node, found)
        return Plan(self.production, tuple(self.planned.values()), self._assets(), self.switches)

    def _read(self) -> None:
        assets = {UPLOAD: UPLOAD, **{node.id: node.asset_key for node in self.workspace.workflow.nodes}}
        for node_id, asset in assets.items():
            try:
                self.manifests[node_id] = self.workspace.store.read(f"{asset}/{self.production}")
            except ArtifactMissing:
                if node_id == UPLOAD:
                    raise
                continue
            self.contents[node_id] = self._contents_in(self.manifests[node_id], asset)

    def _contents_in(self, manifest: Manifest, asset: str) -> Contents:
        """Digests as they were committed; an older manifest has none, they are made from its result."""
        document = manifest.document
        if "fields" not in document:
            return contents_of(self.workspace.result_types[asset].parse(document["result"]))
        return Contents(document["data_version"], document["fields"], Fidelity(document["result"]["fidelity"]))

    def _forget(self, node: Node, found: PlannedNode) -> None:
        """After a node that is made, its old result no longer tells what its readers get; a stored one does."""
        self.contents.pop(node.id, None)
        if found.planned is Planned.HIT and node.id in self.stored:
            self.contents[node.id] = self._contents_in(self.stored[node.id], node.asset_key)

    def _planned(self, node: Node) -> PlannedNode:
        missing = [source for source in self._read_by(node) if source not in self.contents]
        never = [source for source in missing if source not in self.planned]
        if never:
            raise ConfigError(
                f"{node.id} reads the result of {', '.join(never)}, of which {self.production} has none; "
                f"make it first: --from {never[0]}"
            )
        switches = self.switches.get(node.id, NodeSwitches())
        decision = RUNS_ALWAYS if missing else self._decision(node)
        refuse_conflict(node, switches, decision, self.workspace.registry)
        if decision.runs:
            switches = as_decided(self.spec, node.id, switches)
        if missing:
            candidates = self._candidates(node, switches, decision)
            able = [candidate for candidate in candidates if self._unavailable(node, candidate) is None]
            first = (able or candidates)[0]
            if first.is_no_op:
                return self._made(node, Planned.PASS, first.name, f"{node.capability} is turned off")
            is_looked_for = node.spec.cache and not switches.force
            why = f"{missing[0]} is made before it"
            why += "; found stored if that gives the same bytes" if is_looked_for else ""
            return self._made(node, Planned.RUN, first.name, why)
        return self._known(node, switches, decision)

    def _read_by(self, node: Node) -> list[str]:
        named = {reference.source for condition in node.conditions for reference in condition.references}
        known = {UPLOAD, *(other.id for other in self.workspace.workflow.nodes)}
        return sorted({UPLOAD, *(bound.source for bound in node.inputs), *(named & known)})

    def _decision(self, node: Node) -> Decision:
        if not node.conditions:
            return RUNS_ALWAYS
        documents = {node_id: self._document(node_id)["result"] for node_id in self._read_by(node)}
        return decide(node, values_in(documents), self.spec, self.workspace.registry.is_enabled)

    def _document(self, node_id: str) -> dict[str, Any]:
        return (self.stored.get(node_id) or self.manifests[node_id]).document

    def _candidates(self, node: Node, switches: NodeSwitches, decision: Decision) -> tuple[ProviderCandidate, ...]:
        return self.workspace.registry.candidates(
            node.capability,
            enabled=switches.enabled if decision.runs else False,
            provider=switches.provider or node.spec.provider,
            options=switches.options,
        )

    def _known(self, node: Node, switches: NodeSwitches, decision: Decision) -> PlannedNode:
        candidates = self._candidates(node, switches, decision)
        record = self._record(node)
        passed_over: list[str] = []
        for candidate in candidates:
            reason = self._unavailable(node, candidate) or self._not_applicable(node, candidate)
            if reason is not None:
                passed_over.append(f"{candidate.name}: {reason}")
                continue
            found = keyed(node, candidate, self.contents, self.spec, self.workspace.registry)
            if candidate.is_no_op:
                return self._passed(node, candidate, found, record, decision)
            if switches.force:
                return self._made(node, Planned.RUN, candidate.name, "--force")
            if record is not None and self._is_current(node, record, candidates, found):
                return PlannedNode(node.id, node.asset_key, Planned.HIT, True, record.provider, "up to date")
            place = find_place(self.workspace.store, node, found.key) if node.spec.cache else None
            if place is not None:
                self.stored[node.id] = place
                why = f"stored as {place.key}@{place.generation}"
                return PlannedNode(node.id, node.asset_key, Planned.HIT, False, candidate.name, why)
            return self._made(node, Planned.RUN, candidate.name, _why(node, record, found))
        raise _nobody(node, passed_over)

    def _passed(
        self, node: Node, no_op: ProviderCandidate, found: Keyed, record: NodeRecord | None, decision: Decision
    ) -> PlannedNode:
        is_current = record is not None and record.memo_key == found.key
        why = decision.reason if not decision.runs else f"{node.capability} is turned off"
        return PlannedNode(node.id, node.asset_key, Planned.PASS, is_current, no_op.name, why)

    def _made(self, node: Node, planned: Planned, provider: str, why: str) -> PlannedNode:
        estimate = self.history.estimate(node.id, provider, self.voice_seconds)
        return PlannedNode(node.id, node.asset_key, planned, False, provider, why, estimate)

    def _record(self, node: Node) -> NodeRecord | None:
        manifest = self.manifests.get(node.id)
        return NodeRecord.parse(manifest.document["record"]) if manifest else None

    def _is_current(
        self, node: Node, record: NodeRecord, candidates: tuple[ProviderCandidate, ...], first: Keyed
    ) -> bool:
        """The newest result has today's key; or that of a later candidate, because those before it failed then."""
        if record.memo_key == first.key:
            return True
        failed = {item.provider for item in record.trace if item.outcome == "failed"}
        if record.provider in failed or record.code_version != self._code_version(node):
            return False
        for candidate in candidates:
            if candidate.name == record.provider:
                found = keyed(node, candidate, self.contents, self.spec, self.workspace.registry)
                return record.memo_key == found.key
            if candidate.name not in failed and self._unavailable(node, candidate) is None:
                return False
        return False

    def _code_version(self, node: Node) -> str:
        return code_version_of(node, self.workspace.registry.configured(node.capability, node.spec.provider))

    def _unavailable(self, node: Node, candidate: ProviderCandidate) -> str | None:
        return self.workspace.registry.unavailable(candidate, node.spec.lane)

    def _not_applicable(self, node: Node, candidate: ProviderCandidate) -> str | None:
        """Asked only of providers that look at the request: it is not made for the others."""
        provider = candidate.provider
        if provider is None or provider.not_applicable.__func__ is Task.not_applicable.__func__:
            return None
        document: dict[str, Any] = dict(node.spec.params)
        for bound in node.inputs:
            result = self._document(bound.source)["result"]
            document[bound.request_field] = result if bound.source_field is None else result.get(bound.source_field)
        try:
            return candidate.not_applicable(node.task.request_type.parse(document))
        except ContractViolation as error:
            raise ConfigError(f"{node.id}: what it reads makes no valid request: {error}") from error

    def _assets(self) -> tuple[str, ...]:
        if self.selection is not None:
            return self.selection.assets
        made = [node.asset for node in self.planned.values() if not node.is_current]
        return (*made, REPORT) if made or self._report_is_old() else ()

    def _report_is_old(self) -> bool:
        try:
            record = self.workspace.store.read(f"{REPORT}/{self.production}").document["record"]
        except ArtifactMissing:
            return True
        now = {node_id: manifest.document["data_version"] for node_id, manifest in self.manifests.items()}
        return record["inputs"] != now


def _nobody(node: Node, passed_over: list[str]) -> ConfigError:
    return ConfigError(f"{node.id}: no provider of {node.capability} can do this here: {'; '.join(passed_over)}")


def _why(node: Node, record: NodeRecord | None, found: Keyed) -> str:
    """What decides the result now and did not then."""
    if record is None:
        return "never made"
    now = found.fingerprint
    reasons: list[str] = []
    if record.provider != now.name:
        reasons.append(f"provider: {record.provider} -> {now.name}")
    else:
        if record.provider_version != now.version:
            reasons.append(f"version of {now.name}: {record.provider_version} -> {now.version}")
        names = sorted({*record.options, *now.options})
        changed = [name for name in names if record.options.get(name) != now.options.get(name)]
        reasons += [f"option {name}: {record.options.get(name)} -> {now.options.get(name)}" for name in changed]
        models = sorted({*record.weights, *now.weights})
        reasons += [f"weights {name}" for name in models if record.weights.get(name) != now.weights.get(name)]
        if record.code != now.code and record.provider_version == now.version:
            reasons.append(f"code of {now.name}")
    if record.inputs:
        reasons += [f"{name} changed" for name in differences(node, record.inputs, found.inputs)]
    else:
        reasons.append("made by an earlier version that kept no digests of what it read")
    return "; ".join(reasons) or "nothing is stored under its key"
