"""Assemble a picture and a sound with one call, and look at what came out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.context import ProviderContext
from contracts.production import DeliveryProfile, ProductionSpec
from contracts.video import VideoAssemblyRequest, VideoAssemblyResult
from providers.video.noop import NoOpVideoProvider
from providers.video.pyav import PyAVAssemblyProvider
from sparkle_dagster.artifacts.local import LocalArtifactStore

Assemble = Callable[..., tuple[VideoAssemblyResult, Path]]


@pytest.fixture
def assemble(store: LocalArtifactStore, context: ProviderContext) -> Assemble:
    """``assemble(picture, sound, profile=..., options={...}, **request)`` -> the result and the file."""

    def run(
        picture: Path,
        sound: Path,
        provider: type[PyAVAssemblyProvider] | type[NoOpVideoProvider] = PyAVAssemblyProvider,
        profile: DeliveryProfile | None = None,
        options: dict[str, Any] | None = None,
        **request: Any,
    ) -> tuple[VideoAssemblyResult, Path]:
        profile = profile or DeliveryProfile(preset="ultrafast")
        production = ProductionSpec(key="demo-0123456789abcdef", upload_digest="ab" * 32, profile=profile)
        result = provider(provider.Options(**(options or {})), context).run(
            VideoAssemblyRequest(
                aligned_video=store.put(picture, "image/png" if picture.suffix == ".png" else "video/mp4"),
                audio_track=store.put(sound, "audio/wav"),
                production=production,
                **request,
            )
        )
        return result, store.fetch(result.assembled_video)

    return run
