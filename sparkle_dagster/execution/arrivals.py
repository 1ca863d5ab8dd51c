"""What the files in the inbox ask for: start a production, bring one up to date, or nothing. Starts no run."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import ConfigError, UploadRejected
from contracts.upload import UploadResult
from sparkle_dagster.execution.inbox import (
    InboxGroup,
    content_digest_of,
    digest_of_file,
    has_settled,
    identity_of,
    is_hashed,
    known_key,
    list_groups,
    production_key,
)
from sparkle_dagster.execution.intake import joined_upload, move_to_admitted, previous_upload
from sparkle_dagster.execution.selection import REPORT, assets_following
from sparkle_dagster.execution.upload_options import changed_options, read_options
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
    tags: tuple[str, ...] = ()
    """Of the upload, as it will be."""


def _ignore(_problem: str) -> None:
    """Tell nobody."""


def look(workspace: Workspace, known_keys: Iterable[str], on_problem: Callable[[str], None] = _ignore) -> list[Arrival]:
    """Settled arrivals of the inbox that change something, oldest first. Duplicates are put away.

    Args:
        known_keys: of all productions; not asked for while the inbox is empty.
        on_problem: called with a sentence for files that cannot be read; the others go on.
    """
    settle_seconds = workspace.registry.settings.uploads.settle_s
    groups = _oldest_first(list_groups(workspace.inbox))
    keys = list(known_keys) if groups else []
    budget = HASH_BUDGET_BYTES
    arrivals: dict[str, Arrival] = {}
    for group in groups:
        try:
            if not has_settled([*group.files.values(), *group.extra], settle_seconds) or _waits(workspace, group):
                continue
            cost = sum(path.lstat().st_size for path in group.files.values() if not is_hashed(path))
            if cost > budget < HASH_BUDGET_BYTES:
                break
            budget -= cost
            arrival = consider(workspace, group, keys)
        except (OSError, ConfigError) as error:
            on_problem(f"{group.stem}: {error}")
            continue
        if arrival is not None:
            # The same voice and face under a second name: a duplicate, put away once the first is committed.
            arrivals.setdefault(arrival.identity, arrival)
    return list(arrivals.values())


def consider(workspace: Workspace, group: InboxGroup, known_keys: Iterable[str]) -> Arrival | None:
    """What the files of one stem mean; None when they wait for an audio file or change nothing.

    Without audio they join the production that has the stem's: a transcript or options correct it, another face
    makes another production with the same voice.

    Raises:
        ConfigError: the face of an upload without one is not there.
        OSError: a file cannot be read.
    """
    joined = joined_upload(group.stem, workspace) if "audio" not in group.files else None
    if joined is None and "audio" not in group.files:
        return None
    digests = {role: digest_of_file(path) for role, path in group.files.items()}
    audio = joined.audio_track.digest if joined else digests["audio"]
    face = digests.get("face") or (joined.video_stub.digest if joined else presenter_digest(workspace))
    identity = identity_of(audio, face)
    known = known_key(identity, known_keys)
    key = known or production_key(group.stem, identity)
    before = previous_upload(workspace, key)
    changed = _changed_fields(workspace, before, digests, group.files) if before else set[str]()
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
        tags=_tags(group.files, before),
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


def _tags(files: Mapping[str, Path], before: UploadResult | None) -> tuple[str, ...]:
    """Of options that cannot be read: none; the run says what is wrong with them."""
    if "options" not in files:
        return before.tags if before else ()
    with suppress(UploadRejected):
        return read_options(files["options"]).tags
    return ()


def _waits(workspace: Workspace, group: InboxGroup) -> bool:
    """For its voice, which has never come."""
    return "audio" not in group.files and joined_upload(group.stem, workspace) is None


def presenter_digest(workspace: Workspace) -> str:
    """SHA-256 of the face when an upload brings none. Raises: ConfigError: there is none."""
    try:
        return digest_of_file(workspace.presenter)
    except OSError as error:
        raise ConfigError(
            f"settings.presenter: expected a picture or a video at {workspace.presenter}, got none that can be read "
            f"({error.strerror}); mend the setting, or give a face with the voice",
            file="configs/tool_registry.yaml",
        ) from error


def _changed_fields(
    workspace: Workspace, before: UploadResult, digests: Mapping[str, str], files: Mapping[str, Path]
) -> set[str]:
    """Upload fields that these files would change."""
    stored = {"audio": before.audio_track, "face": before.video_stub, "transcript": before.transcript}
    language = workspace.registry.settings.language
    changed = set(changed_options(files["options"], before, language)) if "options" in files else set[str]()
    for role, ref in stored.items():
        if role in digests and (ref is None or ref.digest != digests[role]):
            changed.add(UPLOAD_FIELD_OF_ROLE[role])
    return changed


def _oldest_first(groups: Iterable[InboxGroup]) -> list[InboxGroup]:
    """By the oldest file of each; a group of which a file has just gone is left for the next look."""
    dated: list[tuple[float, str, InboxGroup]] = []
    for group in groups:
        with suppress(FileNotFoundError):
            dated.append((min(path.lstat().st_mtime for path in group.files.values()), group.stem, group))
    return [group for _, _, group in sorted(dated, key=lambda item: item[:2])]
