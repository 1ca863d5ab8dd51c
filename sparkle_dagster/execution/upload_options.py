"""``<stem>.yaml`` beside the audio: options of an upload, read strictly."""

from collections.abc import Collection
from pathlib import Path

from contracts.base import readable
from contracts.errors import ConfigError, UploadRejected
from contracts.upload import UploadOptions, UploadResult
from sparkle_dagster.yaml_file import load_document

OPTION_FIELDS = frozenset(UploadOptions.model_fields)


def read_options(path: Path) -> UploadOptions:
    """Raises: UploadRejected: the file is not YAML, or says what no option means."""
    try:
        return UploadOptions.model_validate(load_document(path).data)
    except (ConfigError, ValueError) as error:
        raise UploadRejected(f"{path.name}: {readable(error)}") from error


def require_profile(name: str, known: Collection[str]) -> None:
    """Raises: UploadRejected: no delivery profile of the tool registry has this name."""
    if name not in known:
        raise UploadRejected(f"profile: expected one of {', '.join(sorted(known))}, got {name!r}")


def changed_options(path: Path, before: UploadResult, default_language: str) -> frozenset[str]:
    """Upload fields that this file sets otherwise than the last generation; all of them when it cannot be read."""
    try:
        options = read_options(path)
    except UploadRejected:
        return OPTION_FIELDS
    given = {**options.model_dump(), "language": options.language or default_language}
    return frozenset(name for name, value in given.items() if getattr(before, name) != value)
