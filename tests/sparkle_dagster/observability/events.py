"""Node events to deliver, as many as a test wants."""

from contracts.artifacts import ArtifactRef
from contracts.events import NodeEvent, NodeStatus


def event(number: int, status: NodeStatus = NodeStatus.SUCCEEDED, **fields: object) -> NodeEvent:
    """Distinct by its number; with one artifact where it is terminal."""
    digest = f"{number:064x}"
    ref = ArtifactRef(path=f"objects/{digest[:2]}/{digest}", checksum=f"sha256:{digest}", size_bytes=number,
                      media_type="video/mp4")  # fmt: skip
    values: dict[str, object] = {
        "event_id": f"e{number}",
        "node_id": "lipsync",
        "provider": "mouth_warp",
        "status": status,
        "latency_ms": 1000 + number,
        "artifacts": (ref,) if status.is_terminal else (),
        "production": "voice-0123456789abcdef",
        "run_id": f"run-{number}",
        "at": "2026-01-02T03:04:05.678+00:00",
        **fields,
    }
    return NodeEvent.parse(values)
