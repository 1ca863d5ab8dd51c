"""From files that came in to the ``upload`` asset: copy into the store, inspect, contract. Then tidy the inbox.

Nothing leaves the inbox before the upload is committed, so a crash loses nothing: the next tick finds the files again.
"""

import os
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.artifacts import ArtifactRef
from contracts.errors import ArtifactMissing, ConfigError, ProviderError, ProviderUnavailable, UploadRejected
from contracts.events import NodeRecord, NodeStatus
from contracts.production import ProductionSpec
from contracts.upload import UploadOptions, UploadResult
from sparkle_dagster.execution.decisions import decisions_of
from sparkle_dagster.execution.inbox import MEDIA_TYPE_BY_SUFFIX, ROLE_BY_SUFFIX, ROLES, identity_of, is_regular_file
from sparkle_dagster.execution.node_run import NodeOutcome, data_version_of
from sparkle_dagster.execution.upload_options import read_options, require_profile
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.workspace import Workspace

MIN_VOICE_SECONDS = 0.01
"""Less is nothing that anybody hears, and fewer samples than filters and codecs are long."""


@dataclass(frozen=True)
class Admission:
    """What one upload run takes in: files by role, all inside the uploads folder."""

    production_key: str
    files: Mapping[str, Path]
    run_id: str
    code_version: str


def admit(admission: Admission, workspace: Workspace) -> NodeOutcome:
    """Copy, inspect, and make the upload's contract. Roles that did not come are kept from the last generation.

    Raises:
        UploadRejected: a file cannot become a production; the message is for whoever sent it.
    """
    started = time.monotonic()
    files = {role: _checked(role, path, admission.production_key, workspace) for role, path in admission.files.items()}
    _check_quota(workspace, files.values())
    previous = previous_upload(workspace, admission.production_key) or _upload_of_same_stem(files, workspace)
    refs = {role: _store(workspace, path) for role, path in files.items() if role != "options"}
    audio = refs.get("audio") or (previous.audio_track if previous else None)
    if audio is None:
        raise UploadRejected(f"expected an audio file for {admission.production_key}, got none")
    face = refs.get("face") or (previous.video_stub if previous else None) or _store(workspace, workspace.presenter)
    identity = identity_of(audio.digest, face.digest)
    if not admission.production_key.endswith(identity[:16]):
        raise UploadRejected(
            f"expected the files of {admission.production_key}, got others (identity {identity[:16]}): "
            "they changed while they were taken in; drop them again"
        )
    transcript = refs.get("transcript") or (previous.transcript if previous else None)
    options = _options(files.get("options"), previous, workspace)
    inspected: dict[str, Any] = {}
    audio = _inspect(workspace.registry, audio, "audio", inspected)
    face = _inspect(workspace.registry, face, "face", inspected)
    if transcript is not None:
        transcript = _inspect(workspace.registry, transcript, "transcript", inspected)
    result = UploadResult(
        provider="intake",
        audio_track=audio,
        video_stub=face,
        transcript=transcript,
        language=options.language or workspace.registry.settings.language,
        title=options.title,
        tags=options.tags,
        profile=options.profile,
        captions=options.captions,
        metadata=options.metadata,
        digest=identity,
        source_names={**(previous.source_names if previous else {}), **_names(files)},
    )
    record = NodeRecord(
        node_id="upload",
        provider="intake",
        status=NodeStatus.SUCCEEDED,
        latency_ms=round((time.monotonic() - started) * 1000),
        run_id=admission.run_id,
        code_version=admission.code_version,
        previews=inspected,
    )
    return NodeOutcome(result, record, data_version_of(result))


def previous_upload(workspace: Workspace, production_key: str) -> UploadResult | None:
    """The newest committed upload of a production, if there is one."""
    try:
        return UploadResult.parse(workspace.read_result("upload", production_key))
    except ArtifactMissing:
        return None


def production_spec(upload: UploadResult, production_key: str, workspace: Workspace) -> ProductionSpec:
    """Which production, and how it is to be delivered.

    Raises:
        ConfigError: the tool registry has no longer the profile that the upload asked for.
    """
    profiles = workspace.registry.profiles
    if upload.profile not in profiles:
        known = ", ".join(sorted(profiles))
        raise ConfigError(
            f"profiles: expected {upload.profile!r}, which {production_key} asked for, got {known}",
            file="configs/tool_registry.yaml",
        )
    return ProductionSpec(
        key=production_key,
        workspace=workspace.settings.workspace,
        upload_digest=upload.digest,
        profile=profiles[upload.profile],
        decisions=decisions_of(workspace, production_key, upload),
    )


def move_to_admitted(files: Mapping[str, Path], production_key: str, workspace: Workspace) -> None:
    """Out of the inbox, after the commit: ``admitted/<production>/<name as it came>``."""
    _move(files, _admitted_folder(production_key, workspace))


def quarantine(files: Mapping[str, Path], stem: str, reason: str, workspace: Workspace) -> Path:
    """Out of the inbox, with the reason beside the files; returns the folder."""
    name = f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(4).hex()}"
    folder = workspace.inbox / "quarantine" / name
    folder.mkdir(parents=True)
    (folder / "REASON.txt").write_text(reason + "\n", encoding="utf-8")
    _move(files, folder)
    return folder


def joined_upload(stem: str, workspace: Workspace) -> UploadResult | None:
    """The upload that files of this stem belong to: the one that such files were last admitted to."""
    folders = [folder for folder in (workspace.inbox / "admitted").glob("*") if folder.is_dir()]
    matches = [folder for folder in folders if any(path.stem == stem for path in folder.iterdir())]
    if not matches:
        return None
    return previous_upload(workspace, max(matches, key=lambda folder: folder.stat().st_mtime_ns).name)


def _upload_of_same_stem(files: Mapping[str, Path], workspace: Workspace) -> UploadResult | None:
    """Where the voice comes from when only another face came."""
    if "audio" in files or "face" not in files:
        return None
    return joined_upload(files["face"].stem, workspace)


def _checked(role: str, path: Path, production_key: str, workspace: Workspace) -> Path:
    """Where the file is now: a run that is done again finds it where the first one put it."""
    if ROLE_BY_SUFFIX.get(path.suffix.lower()) != role:
        known = " ".join(suffix for suffix, its_role in ROLE_BY_SUFFIX.items() if its_role == role)
        expected = f"a file ending in {known}" if known else f"one of the roles {', '.join(ROLES)}"
        raise UploadRejected(f"{role}: expected {expected}, got {path.name!r}")
    for place in (path, _admitted_folder(production_key, workspace) / path.name):
        if is_regular_file(place):
            return place
    raise UploadRejected(f"{role}: expected the file {path.name!r} in the uploads folder, found none; drop it again")


def _admitted_folder(production_key: str, workspace: Workspace) -> Path:
    return workspace.inbox / "admitted" / production_key


def _check_quota(workspace: Workspace, files: Iterable[Path]) -> None:
    """Raises: UploadRejected: the workspace would hold more than it may."""
    limit = workspace.registry.settings.quota.max_bytes
    if limit is None:
        return
    stored = sum(use.size_bytes for use in workspace.store.blob_uses())
    more = sum(path.lstat().st_size for path in files)
    if stored + more > limit:
        raise UploadRejected(
            f"expected at most {limit} bytes in this workspace (settings.quota.max_bytes), it holds {stored} and "
            f"these files are {more}; make room (sparkle gc, retention) or raise the quota, then drop them again"
        )


def _store(workspace: Workspace, path: Path) -> ArtifactRef:
    limit = workspace.registry.settings.uploads.max_bytes
    size = path.lstat().st_size
    if size > limit:
        raise UploadRejected(f"{path.name}: expected at most {limit} bytes, got {size}")
    if size == 0:
        raise UploadRejected(f"{path.name}: expected a file with content, got 0 bytes")
    return workspace.store.put(path, MEDIA_TYPE_BY_SUFFIX[path.suffix.lower()])


def _inspect(registry: ProviderRegistry, ref: ArtifactRef, role: str, inspected: dict[str, Any]) -> ArtifactRef:
    """The ref with its facts. Raises: UploadRejected: it is not what its role needs."""
    try:
        inspection = registry.inspect(ref)
    except ProviderUnavailable:
        raise  # the installation's fault, not the file's
    except ProviderError as error:
        raise UploadRejected(f"the {role} cannot be used: {error}") from error
    info = inspection.info
    wrong = {
        "audio": info.audio is None or info.audio.sample_count == 0,
        "face": info.video is None or info.video.frame_count == 0,
        "transcript": info.kind != "text",
    }[role]
    if wrong:
        expected = {"audio": "sound", "face": "a picture or a video", "transcript": "readable text"}[role]
        found = f"{info.kind} ({info.container})" if info.container else info.kind
        raise UploadRejected(f"the {role} cannot be used: expected {expected}, got {found}")
    if role == "audio" and info.audio and info.audio.duration_seconds < MIN_VOICE_SECONDS:
        found = f"{info.audio.sample_count} samples at {info.audio.sample_rate_hz} Hz"
        raise UploadRejected(f"the audio cannot be used: expected at least {MIN_VOICE_SECONDS} s of sound, got {found}")
    inspected[ref.digest] = inspection.model_dump(mode="json")
    return ref.model_copy(update={"media": info})


def _options(path: Path | None, previous: UploadResult | None, workspace: Workspace) -> UploadOptions:
    if path is None:
        kept = previous.model_dump(include=set(UploadOptions.model_fields)) if previous else {}
        options = UploadOptions.model_validate(kept)
    else:
        options = read_options(path)
    require_profile(options.profile, workspace.registry.profiles)
    return options


def _names(files: Mapping[str, Path]) -> dict[str, str]:
    return {role: path.name for role, path in files.items()}


def _move(files: Mapping[str, Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in files.values():
        target = folder / path.name
        if target.exists():
            target = folder / f"{path.stem}-{os.urandom(4).hex()}{path.suffix}"
        with suppress(FileNotFoundError):  # another process, looking at the same inbox, was quicker
            shutil.move(path, target)
