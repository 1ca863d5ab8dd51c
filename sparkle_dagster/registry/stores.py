"""The artifact store that ``settings.store`` names; a cloud client comes from the class named there, at first use."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from contracts.errors import ConfigError
from contracts.tool_registry import StoreSettings
from sparkle_dagster.artifacts.gcs import BucketPlace, GcsArtifactStore
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.artifacts.store import ArtifactStore


@dataclass(frozen=True)
class CloudClient:
    """Makes a ``google.cloud.storage.Client`` by a Dagster resource, in any process; holds no credentials."""

    target: str
    project: str | None

    def __call__(self) -> Any:
        module, _, name = self.target.partition(":")
        try:
            resource = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"client: expected module:Class with get_client(), got {self.target!r}: {error}"
            ) from error
        return resource(project=self.project).get_client()


def open_store(settings: StoreSettings, workspace: str) -> ArtifactStore:
    """The workspace's artifacts; nothing is reached before the first use.

    Args:
        settings: with an absolute ``root``.
    """
    root = Path(settings.root)
    if settings.kind == "local":
        return LocalArtifactStore(root, workspace)
    place = bucket_place(settings, settings.bucket, settings.prefix)
    return GcsArtifactStore(place, root / "mirror" / settings.bucket / settings.prefix.strip("/"), workspace)


def bucket_place(settings: StoreSettings, bucket: str, prefix: str) -> BucketPlace:
    """A bucket, reached as the store's settings say."""
    return BucketPlace(bucket, prefix, CloudClient(settings.client, settings.project), settings.deadline_s)
