"""The pytest plugin of Sparkle: what a test of a provider needs, real and in a fresh folder.

    def test_mine(sparkle_context, sparkle_media):
        provider = MyProvider(MyProvider.Options(), sparkle_context)
        result = provider.run(LipSyncRequest(audio_track=sparkle_media.voice, video_stub=sparkle_media.face))

It is found by its entry point and imports nothing until a fixture is used. The conformance kit is in ``pytest_cases``.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from contracts.context import ProviderContext
    from sparkle_dagster.artifacts.local import LocalArtifactStore
    from sparkle_dagster.conformance.requests import SmallMedia


@pytest.fixture
def sparkle_store(tmp_path: Path) -> "LocalArtifactStore":
    """An artifact store of its own."""
    from sparkle_dagster.artifacts.local import LocalArtifactStore

    return LocalArtifactStore(tmp_path / "sparkle" / "store")


@pytest.fixture
def sparkle_media(sparkle_store: "LocalArtifactStore") -> "SmallMedia":
    """A person who says a few words, as artifacts of ``sparkle_store``: voice, face, film, script."""
    from sparkle_dagster.conformance.requests import SmallMedia

    return SmallMedia(sparkle_store)


@pytest.fixture
def sparkle_context(sparkle_store: "LocalArtifactStore", tmp_path: Path) -> "ProviderContext":
    """What a provider is given when it is built."""
    import logging

    from contracts.context import ProviderContext

    folder = tmp_path / "sparkle" / "work"
    folder.mkdir(parents=True)
    return ProviderContext(logging.getLogger("sparkle.provider"), sparkle_store, folder)
