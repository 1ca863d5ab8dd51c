"""A bucket store before an emulated service that can be told to fail."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import google.auth.credentials
from google.cloud.storage import Client

from contracts.artifacts import ArtifactRef
from sparkle_dagster.artifacts.gcs import BucketPlace, GcsArtifactStore
from tests.gcs.emulator import emulator
from tests.gcs.proxy import Proxy, Request, object_path, running

EMULATED = "sparkle-test"


def client_at(port: int) -> Client:
    """A client without credentials."""
    anonymous = google.auth.credentials.AnonymousCredentials()
    return Client("test", anonymous, client_options={"api_endpoint": f"http://localhost:{port}"})


@dataclass
class Rig:
    proxy: Proxy
    deadline_seconds: float = 20.0
    taken: set[str] = field(default_factory=set)

    @property
    def endpoint(self) -> str:
        """What STORAGE_EMULATOR_HOST is to say."""
        return f"http://localhost:{self.proxy.port}"

    def place(self, prefix: str, deadline_seconds: float | None = None) -> BucketPlace:
        client = partial(client_at, self.proxy.port)
        return BucketPlace(EMULATED, prefix, client, deadline_seconds or self.deadline_seconds, pause_seconds=0.01)

    def store(self, prefix: str, root: Path, workspace: str = "main") -> GcsArtifactStore:
        return GcsArtifactStore(self.place(prefix), root, workspace)

    def objects(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Behind the proxy's back: every object's description by its name below ``prefix``."""
        with self.proxy.lock:
            answer = self.proxy.forward(Request("GET", f"/storage/v1/b/{EMULATED}/o?prefix={prefix}/", {}, b""))
        items = answer.document.get("items") or []
        return {item["name"].removeprefix(f"{prefix}/"): item for item in items}

    def content(self, prefix: str, name: str) -> bytes:
        path = object_path(EMULATED, f"{prefix}/{name}").replace("/storage/", "/download/storage/", 1)
        return self.proxy.forward(Request("GET", path + "?alt=media", {}, b"")).body

    def write(self, prefix: str, name: str, data: bytes | None) -> None:
        """Behind everybody's back: other bytes under a name, or none."""
        full = f"{prefix}/{name}"
        if data is None:
            self.proxy.forward(Request("DELETE", object_path(EMULATED, full), {}, b""))
            return
        bucket = client_at(self.proxy.emulator_port).bucket(EMULATED)
        bucket.blob(full).upload_from_string(data, content_type="application/octet-stream")

    def damage(self, store: GcsArtifactStore, ref: ArtifactRef, data: bytes | None) -> None:
        self.write(store.place.prefix, f"ws/{store.workspace}/{ref.path}", data)


@contextmanager
def rig(before: Callable[[int], Proxy] = Proxy) -> Iterator[Rig]:
    """Emulator, proxy and an empty bucket.

    Args:
        before: gives the proxy before an emulator's port.
    """
    with emulator() as emulator_port, running(before(emulator_port)) as proxy:
        body = json.dumps({"name": EMULATED}).encode()
        headers = {"Content-Type": "application/json"}
        proxy.forward(Request("POST", "/storage/v1/b?project=test", headers, body))
        yield Rig(proxy)
