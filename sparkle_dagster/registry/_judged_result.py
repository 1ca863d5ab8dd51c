"""What the platform does with a provider's answer, in the provider's process: believe nothing, look at everything."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from contracts.artifacts import ArtifactRef, MediaInfo
from contracts.base import least
from contracts.context import ArtifactClient
from contracts.errors import ContractViolation, ProviderFailed, ProviderRejected
from contracts.media import InspectionResult
from contracts.production import TaskRequest, TaskResult
from sparkle_dagster.registry.artifact_refs import find_refs, replace_refs

Inspect = Callable[[ArtifactRef], InspectionResult]


class RecordingArtifacts:
    """The attempt's view of the store, which remembers what was written or found by name."""

    def __init__(self, client: ArtifactClient) -> None:
        self._client = client
        self.made: dict[str, ArtifactRef] = {}
        """By digest."""

    def put(self, source: Path | BinaryIO, media_type: str, metadata: dict[str, Any] | None = None) -> ArtifactRef:
        ref = self._client.put(source, media_type, metadata)
        self.made[ref.digest] = ref
        return ref

    def named(self, key: str) -> ArtifactRef | None:
        ref = self._client.named(key)
        if ref is not None:
            self.made[ref.digest] = ref
        return ref

    def name(self, key: str, ref: ArtifactRef) -> None:
        self._client.name(key, ref)

    def open(self, ref: ArtifactRef) -> BinaryIO:
        return self._client.open(ref)

    def fetch(self, ref: ArtifactRef) -> Path:
        return self._client.fetch(ref)

    def exists(self, ref: ArtifactRef) -> bool:
        return self._client.exists(ref)

    def verify(self, ref: ArtifactRef) -> None:
        self._client.verify(ref)


def judge(
    answer: object,
    result_type: type[TaskResult],
    request: TaskRequest,
    provider: str,
    artifacts: RecordingArtifacts,
    inspect: Inspect | None,
) -> tuple[TaskResult, dict[str, InspectionResult]]:
    """The result as it may be stored, and what was found in each file that was made, by digest.

    Args:
        provider: its name, which the result will carry.
        inspect: looks into a file; None where the provider is itself the inspector.

    Raises:
        ProviderFailed: the answer breaks its contract, or a file is not what it is said to be.
    """
    result = _checked(answer, result_type)
    given = {ref.digest: ref for ref in find_refs(request)}
    found: dict[str, InspectionResult] = {}

    def settled(ref: ArtifactRef) -> ArtifactRef:
        made = artifacts.made.get(ref.digest)
        known = made or given.get(ref.digest)
        if known is None or (known.path, known.size_bytes) != (ref.path, ref.size_bytes):
            raise ProviderFailed(f"its result names {ref.path}, which it neither wrote nor was given")
        if made is None or inspect is None:
            return ref.model_copy(update={"media": given[ref.digest].media if ref.digest in given else None})
        if ref.digest not in found and (inspection := _inspected(ref, inspect)):
            found[ref.digest] = inspection
        inspection = found.get(ref.digest)
        _check_claim(ref, inspection.info if inspection else None)
        return ref.model_copy(update={"media": inspection.info if inspection else None})

    document = replace_refs(result, settled).model_dump(mode="json")
    document["provider"] = provider
    document["fidelity"] = least(result.fidelity, request.input_fidelity).value
    return _parsed(result_type, document), found


def _checked(answer: object, result_type: type[TaskResult]) -> TaskResult:
    if not isinstance(answer, result_type):
        raise ProviderFailed(f"expected run() to return a {result_type.__name__}, got {type(answer).__name__}")
    try:
        document = answer.model_dump(warnings=False)
    except Exception as error:
        raise ProviderFailed(f"its {result_type.__name__} cannot be read: {error}") from error
    return _parsed(result_type, document)


def _parsed(result_type: type[TaskResult], document: dict[str, Any]) -> TaskResult:
    try:
        return result_type.parse(document)
    except ContractViolation as error:
        raise ProviderFailed(f"its result breaks the contract: {error}") from error


def _inspected(ref: ArtifactRef, inspect: Inspect) -> InspectionResult | None:
    try:
        return inspect(ref)
    except ProviderRejected as error:
        if _is_media(ref):
            raise ProviderFailed(
                f"its output {ref.path} says {ref.media_type} and cannot be decoded: {error}"
            ) from error
        return None


def _check_claim(ref: ArtifactRef, info: MediaInfo | None) -> None:
    if info is None:
        return
    claim = ref.media_type.partition("/")[0]
    holds = {
        "video": info.kind == "video" and info.video is not None and info.video.frame_count > 0,
        "audio": info.kind == "audio" and info.audio is not None and info.audio.sample_count > 0,
        "image": info.kind == "image",
    }
    if not holds.get(claim, True):
        raise ProviderFailed(f"its output {ref.path} says {ref.media_type}, decoding it found {_described(info)}")


def _described(info: MediaInfo) -> str:
    frames = f", {info.video.frame_count} frames" if info.video else ""
    samples = f", {info.audio.sample_count} samples" if info.audio else ""
    return f"{info.kind}{frames}{samples}"


def _is_media(ref: ArtifactRef) -> bool:
    return ref.media_type.partition("/")[0] in {"video", "audio", "image"}
