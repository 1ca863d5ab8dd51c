"""`sparkle why`, `replay`, `definition`: where a result came from, and whether it comes out again."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from contracts.errors import ArtifactMissing
from sparkle_dagster.cli.output import JsonOption, console, print_json, quiet

if TYPE_CHECKING:
    from sparkle_dagster.execution.definition import Definition
    from sparkle_dagster.execution.lineage import Made
    from sparkle_dagster.execution.replay import NodeReplay
    from sparkle_dagster.workspace import Workspace

COLOURS = {"bit-equal": "green", "metric-equal": "yellow", "differs": "red"}
ArtifactArgument = Annotated[str, typer.Argument(help="A file, or the SHA-256 of one (its first 8 digits suffice).")]

definition_app = typer.Typer(no_args_is_help=True, help="Definitions that results were made under.")


def why(artifact: ArtifactArgument, json_output: bool = JsonOption) -> None:
    """From a file back to weights, options, inputs and definition, up to the files that came in.

    Examples:  sparkle why out/video.mp4      sparkle why 2443630b4620165c
    """
    from sparkle_dagster.execution.lineage import digest_in, find_made
    from sparkle_dagster.workspace import this_workspace

    made = find_made(this_workspace(), digest_in(artifact))
    if json_output:
        print_json(_document(made))
    else:
        console().print(_tree(made))


def replay(artifact: ArtifactArgument, json_output: bool = JsonOption) -> None:
    """Make an artifact again from what is kept of its making, node by node, and compare. Commits nothing.

    Says bit-equal, metric-equal (other bytes, same measurements) or differs at node X; then the exit code is 1.

    Example:  sparkle replay out/video.mp4
    """
    from sparkle_dagster.execution.lineage import digest_in, find_made
    from sparkle_dagster.execution.replay import replay as make_again
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    made = find_made(workspace, digest_in(artifact))
    say = quiet if json_output else console().print
    say(f"[bold]{made.place}[/]")
    found = make_again(workspace, made, lambda node: say(_line(node)))
    if json_output:
        nodes = [
            {"node_id": node.node_id, "place": node.place, "verdict": node.verdict, "notes": list(node.notes)}
            | {"metrics": {name: {"then": then, "now": now} for name, (then, now) in node.metrics.items()}}
            for node in found.nodes
        ]
        print_json({"artifact": made.place, "verdict": found.verdict, "nodes": nodes})
    else:
        colour = COLOURS.get(found.verdict, "red")
        say(f"[bold {colour}]{found.verdict}[/]")
    if found.verdict.startswith("differs"):
        raise SystemExit(1)


@definition_app.command("show")
def show(
    which: Annotated[
        str | None, typer.Argument(help="A production or a definition's digest; default: today's.")
    ] = None,
    json_output: bool = JsonOption,
) -> None:
    """The definition that a production was made under: workflow, providers, profiles, contract versions."""
    from sparkle_dagster.workspace import this_workspace

    found = _found(this_workspace(), which)
    if json_output:
        print_json({"digest": found.digest, **found.document})
        return
    console().print(f"definition {found.digest}")
    console().print_json(data=found.document, indent=2)


@definition_app.command("diff")
def diff(
    before: Annotated[str, typer.Argument(help="A production or a definition's digest.")],
    after: Annotated[str | None, typer.Argument(help="Another one; default: today's.")] = None,
    json_output: bool = JsonOption,
) -> None:
    """What changed between two definitions, a line each.

    Example:  sparkle definition diff voice-0123456789abcdef
    """
    from sparkle_dagster.execution.definition import changes
    from sparkle_dagster.workspace import this_workspace

    workspace = this_workspace()
    one, other = _found(workspace, before), _found(workspace, after)
    lines = changes(one, other)
    if json_output:
        print_json({"before": one.digest, "after": other.digest, "changes": lines})
        return
    console().print(f"[dim]{one.digest[:16]} -> {other.digest[:16]}[/]")
    for line in lines or ["the same"]:
        console().print(escape(line))


def _found(workspace: "Workspace", which: str | None) -> "Definition":
    """Today's, that of a production's newest result, or that of a digest."""
    from contracts.events import NodeRecord
    from sparkle_dagster.execution.definition import read_definition

    if which is None:
        return workspace.definition
    keys = workspace.store.keys("")
    of_production = [key for key in keys if key.partition("/")[2] == which]
    for key in of_production or keys:
        for generation in reversed(workspace.store.generations(key)):
            document = workspace.store.read(key, generation).document
            if "record" not in document:
                continue  # it says something about the production, and is no result
            record = NodeRecord.parse(document["record"])
            if record.definition is not None and (of_production or record.definition.digest.startswith(which)):
                return read_definition(workspace.store, record.definition)
    raise ArtifactMissing(f"expected a production or a digest of a definition that is stored, got {which!r}")


def _document(made: "Made") -> dict[str, Any]:
    record = made.record
    return {
        "made_as": made.place,
        "committed_at": made.manifest.committed_at,
        "node_id": record.node_id,
        "provider": record.provider,
        "provider_version": record.provider_version,
        "code": record.code,
        "options": record.options,
        "weights": record.weights,
        "fidelity": record.fidelity.value,
        "reason": record.reason,
        "switches": record.switches,
        "attempts": [attempt.model_dump(mode="json", exclude={"usage"}) for attempt in record.attempts],
        "definition": made.definition.digest if made.definition else "",
        "inputs": record.inputs,
        "made_from": {source: _document(part) for source, part in made.sources.items()},
    }


def _tree(made: "Made", told: set[str] | None = None) -> Tree:
    """
    Args:
        told: places that are told already; each is told once.
    """
    told = set() if told is None else told
    if made.place in told:
        return Tree(f"[bold]{made.place}[/]  [dim]as above[/]")
    told.add(made.place)
    record = made.record
    tree = Tree(f"[bold]{made.place}[/]  {made.manifest.committed_at}")
    version = f" version {record.provider_version}" if record.provider_version else ""
    name, _, digest = record.code.partition(" ")
    code = f"  [dim]{escape(f'{name} {digest[:16]}'.strip())}[/]" if record.code else ""
    tree.add(f"made by [bold]{record.provider}[/]{version}, {record.fidelity}{code}")
    for text in (
        record.reason,
        *(f"{attempt.provider}: {attempt.error}" for attempt in record.attempts if attempt.error),
    ):
        if text:
            tree.add(escape(text))
    for title, values in (("option", record.options), ("weights", record.weights), ("switch", record.switches)):
        for name, value in values.items():
            tree.add(f"{title} {name} = {escape(str(value))}")
    if made.definition is not None:
        tree.add(
            f"definition {made.definition.digest[:16]}  [dim]sparkle definition show {made.definition.digest[:16]}[/]"
        )
    for name, digest in record.inputs.items():
        tree.add(f"[dim]was given {name} {digest[:16]}[/]")
    for name, digest in _files_in(made):
        tree.add(f"{name} {digest[:16]}")
    for source, part in made.sources.items():
        tree.add(f"from {source}").add(_tree(part, told))
    return tree


def _files_in(made: "Made") -> list[tuple[str, str]]:
    """The files that an upload took in, by role: (role, SHA-256)."""
    if made.sources or made.record.node_id != "upload":
        return []
    result = made.manifest.document["result"]
    files = {name: value for name, value in result.items() if isinstance(value, dict) and "checksum" in value}
    return [(name, value["checksum"].removeprefix("sha256:")) for name, value in files.items()]


def _line(node: "NodeReplay") -> Any:
    table = Table.grid(padding=(0, 1))
    table.add_row(f"  [{COLOURS[node.verdict]}]{node.verdict:<13}[/]", node.node_id, escape("; ".join(node.notes)))
    if node.verdict != "bit-equal":
        for name, (then, now) in node.metrics.items():
            table.add_row("", "", f"{name}: {then} then, {now} now")
    return table
