"""What the files in the inbox ask for: start a production, bring one up to date, or nothing. Starts no run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.upload import UploadResult
from sparkle_dagster.execution.inbox import (
    InboxGroup,
    content_digest_of,
    digest_of_file,
    has_settled,
    identity_of,
    known_key,
    list_groups,
    production_key,
)
from sparkle_dagster.execution.intake import admitted_production, move_to_admitted, previous_upload
from sparkle_dagster.execution.selection import REPORT, assets_following
from sparkle_dagster.execution.upload_options import changed_options
from sparkle_dagster.workspace import Workspace

UPLOAD_FIELD_OF_ROLE = {"audio": "audio_track", "face": "video_stub", "transcript": "transcript"}
HASH_BUDGET_BYTES = 2 * 2**30
"""Read at most this much in one look, so that a sensor's tick stays short; the rest waits for the next."""


@dataclass(frozen=True)
class Arrival:
    """Files that make or change one production."""

    production_key: str
    files: Mapping[str, Path]
    identity: str
    run_key: str
    assets: tuple[str, ...]
    is_new: bool


def look(workspace: Workspace, known_keys: Iterable[str]) -> list[Arrival]:
    """Settled arrivals of the inbox that change something, oldest first. Duplicates are put away."""
    settings = workspace.registry.settings.uploads
    keys = list(known_keys)
    budget = HASH_BUDGET_BYTES
    arrivals: list[Arrival] = []
    for group in sorted(list_groups(workspace.inbox), key=_oldest):
        paths = [*group.files.values(), *group.extra]
        if not has_settled(paths, settings.settle_s):
            continue
        budget -= sum(path.stat().st_size for path in paths)
        if budget < 0 and arrivals:
            break
        arrival = consider(workspace, group, keys)
        if arrival is not None:
            arrivals.append(arrival)
    return arrivals


def consider(workspace: Workspace, group: InboxGroup, known_keys: Iterable[str]) -> Arrival | None:
    """What the files of one stem mean; None when they wait for an audio file or change nothing."""
    joined = admitted_production(group.stem, workspace) if "audio" not in group.files else None
    previous = previous_upload(workspace, joined) if joined else None
    digests = {role: digest_of_file(path) for role, path in group.files.items()}
    audio = digests.get("audio") or (previous.audio_track.digest if previous else None)
    if audio is None:
        return None
    face = digests.get("face") or (previous.video_stub.digest if previous else digest_of_file(workspace.presenter))
    identity = identity_of(audio, face)
    known = known_key(identity, known_keys)
    key = known or production_key(group.stem, identity)
    before = previous_upload(workspace, key)
    changed = _changed_fields(before, digests, group.files) if before else set[str]()
    if before is not None and not changed:
        move_to_admitted(group.files, key, workspace)
        return None
    generation = max(workspace.store.generations(f"upload/{key}"), default=0)
    return Arrival(
        production_key=key,
        files=group.files,
        identity=identity,
        run_key=f"{key}@{generation}:{content_digest_of(digests)[:16]}",
        assets=affected_assets(workspace, changed) if before else (),
        is_new=known is None,
    )


def affected_assets(workspace: Workspace, changed_fields: Iterable[str]) -> tuple[str, ...]:
    """``upload``, every asset bound to a changed field, and all that follows from those.

    Every request carries the delivery profile, so another one concerns every node.
    """
    changed = set(changed_fields)
    bound = {
        node.id
        for node in workspace.workflow.nodes
        if "profile" in changed or changed & {item.source_field for item in node.inputs if item.source == "upload"}
    }
    return ("upload", *assets_following(workspace.workflow, bound), REPORT)


def _changed_fields(before: UploadResult, digests: Mapping[str, str], files: Mapping[str, Path]) -> set[str]:
    """Upload fields that these files would change."""
    stored = {"audio": before.audio_track, "face": before.video_stub, "transcript": before.transcript}
    changed = set(changed_options(files["options"], before)) if "options" in files else set[str]()
    for role, ref in stored.items():
        if role in digests and (ref is None or ref.digest != digests[role]):
            changed.add(UPLOAD_FIELD_OF_ROLE[role])
    return changed


def _oldest(group: InboxGroup) -> float:
    return min(path.lstat().st_mtime for path in group.files.values())
