"""From files that came in to the ``upload`` asset: copy into the store, inspect, contract. Then tidy the inbox.

Nothing leaves the inbox before the upload is committed, so a crash loses nothing: the next tick finds the files again.
"""

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.artifacts import ArtifactRef
from contracts.errors import ArtifactMissing, ProviderError, UploadRejected
from contracts.events import NodeRecord, NodeStatus
from contracts.production import ProductionSpec
from contracts.upload import UploadOptions, UploadResult
from sparkle_dagster.execution.inbox import MEDIA_TYPE_BY_SUFFIX, identity_of
from sparkle_dagster.execution.node_run import NodeOutcome, data_version_of
from sparkle_dagster.execution.upload_options import read_options
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.workspace import Workspace


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
    previous = previous_upload(workspace, admission.production_key)
    refs = {role: _store(workspace, path) for role, path in admission.files.items() if role != "options"}
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
    options = _options(admission.files.get("options"), previous, workspace)
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
        source_names={**(previous.source_names if previous else {}), **_names(admission.files)},
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
    """Which production, and how it is to be delivered."""
    return ProductionSpec(
        key=production_key,
        workspace=workspace.settings.workspace,
        upload_digest=upload.digest,
        profile=workspace.registry.profiles[upload.profile],
    )


def move_to_admitted(files: Mapping[str, Path], production_key: str, workspace: Workspace) -> None:
    """Out of the inbox, after the commit: ``admitted/<production>/<name as it came>``."""
    _move(files, workspace.inbox / "admitted" / production_key)


def quarantine(files: Mapping[str, Path], stem: str, reason: str, workspace: Workspace) -> Path:
    """Out of the inbox, with the reason beside the files; returns the folder."""
    folder = workspace.inbox / "quarantine" / f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    _move(files, folder)
    (folder / "REASON.txt").write_text(reason + "\n", encoding="utf-8")
    return folder


def admitted_production(stem: str, workspace: Workspace) -> str | None:
    """The production that files of this stem belong to, when its audio was admitted before."""
    folders = (workspace.inbox / "admitted").glob("*")
    matches = [folder for folder in folders if any(path.stem == stem for path in folder.iterdir())]
    return max(matches, key=lambda folder: folder.stat().st_mtime).name if matches else None


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
        raise UploadRejected(f"the {role} cannot be used: expected {expected}, got {info.kind} ({info.container})")
    inspected[ref.digest] = inspection.model_dump(mode="json")
    return ref.model_copy(update={"media": info})


def _options(path: Path | None, previous: UploadResult | None, workspace: Workspace) -> UploadOptions:
    if path is None:
        kept = previous.model_dump(include=set(UploadOptions.model_fields)) if previous else {}
        options = UploadOptions.model_validate(kept)
    else:
        options = read_options(path)
    if options.profile not in workspace.registry.profiles:
        known = ", ".join(sorted(workspace.registry.profiles))
        raise UploadRejected(f"profile: expected one of {known}, got {options.profile!r}")
    return options


def _names(files: Mapping[str, Path]) -> dict[str, str]:
    return {role: path.name for role, path in files.items()}


def _move(files: Mapping[str, Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in files.values():
        if path.exists():
            target = folder / path.name
            if target.exists():
                target = folder / f"{path.stem}-{os.urandom(4).hex()}{path.suffix}"
            shutil.move(path, target)
