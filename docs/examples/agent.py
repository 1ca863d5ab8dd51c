"""A script-writing agent that calls the pipeline instead of importing its tools.

It takes a recorded voice, listens to what the pipeline heard, and, when the review says that the mouth does not follow
as it should, tries once more with another lip-sync provider. Run it beside `sparkle serve`:

    python docs/examples/agent.py samples/voice_short.wav out
"""

import sys
from pathlib import Path

from sparkle_dagster.client import PipelineClient

GOOD_ENOUGH = 0.7
"""Correlation of the mouth as intended and as seen; below it a person would see it."""


def main(voice: str, folder: str) -> None:
    client = PipelineClient()
    production = client.start(voice, profile="draft", title="Made by an agent")
    for event in client.watch(production):
        print(event.node_id, event.status.value, event.provider)
    review = next(node for node in client.summary(production).nodes if node.node_id == "qa")
    if (review.metrics.get("mouth_correlation") or 0.0) < GOOD_ENOUGH:
        others = [item for node in client.choices().nodes if node.node_id == "lipsync" for item in node.providers]
        spare = [item.name for item in others if item.state == "next"]
        if spare:
            client.rerun(production, from_="lipsync", provider={"lipsync": spare[0]})
            client.wait(production)
    for name, path in client.fetch(production, Path(folder)).items():
        print(name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main(*sys.argv[1:3])
