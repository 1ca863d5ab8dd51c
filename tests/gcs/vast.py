"""Services of a size that the emulator does not reach: it holds all in memory and writes its index anew each time.

Preconditions are enforced by the same proxy. Not here: faults, which the real emulator answers for.
"""

import json
import mmap
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from sparkle_dagster.artifacts._bucket import crc32c_text, extended
from tests.gcs.proxy import Answer, Proxy, Request, name_in, object_name, refusal

_JSON = {"content-type": "application/json"}
_BYTE = b"x"
_OBJECT = re.compile(r"/storage/v1/b/[^/]+/o/([^/?]+)")
_NUMBERED = re.compile(r"v(\d{5})\.(?:wav|pdf)$")
_PIECE = re.compile(r"bytes (?:(?P<start>\d+)-\d+|\*)/(?P<total>\d+|\*)")


@dataclass
class ManyObjects(Proxy):
    """Lists ``count`` objects of one byte below any prefix, a page at a time: papers, and a few voices."""

    count: int = 0
    voices: dict[int, int] = field(default_factory=dict)
    """Number of an object that is ``v<number>.wav`` and not ``v<number>.pdf``; its generation."""

    def forward(self, request: Request) -> Answer:
        if request.operation == "download":
            return Answer(200, {"content-type": "audio/wav"}, _BYTE)
        if request.operation == "look":
            prefix, number = _NUMBERED.split(object_name(request.path))[:2]
            return _answer(self._facts(prefix, int(number)))
        if request.operation != "list":
            return super().forward(request)
        query = request.query
        prefix, size = query.get("prefix", ""), int(query.get("maxResults", 1000))
        start = query.get("pageToken") or query.get("startOffset", "").removeprefix(prefix)
        first = int(start[1:6] or 0)
        last = min(first + size, self.count)
        document: dict[str, Any] = {"items": [self._facts(prefix, number) for number in range(first, last)]}
        if last < self.count:
            document["nextPageToken"] = f"v{last:05}"
        return _answer(document)

    def _page(self, request: Request) -> Answer:
        return self.forward(request)

    def _facts(self, prefix: str, number: int) -> dict[str, Any]:
        name = f"{prefix}v{number:05}.{'wav' if number in self.voices else 'pdf'}"
        facts = {"metageneration": "1", "size": str(len(_BYTE)), "crc32c": crc32c_text(extended(0, _BYTE))}
        generation = str(self.voices.get(number, 1))
        return {"name": name, "generation": generation, "updated": "2026-11-25T00:00:00Z", **facts}


@dataclass
class _Large:
    """An object that came in pieces."""

    path: Path
    stream: BinaryIO
    facts: dict[str, Any]
    wanted_crc32c: str
    crc32c: int = 0


@dataclass
class LargeObjects(Proxy):
    """What is uploaded in pieces goes to a file each, piece by piece; everything else to the emulator."""

    folder: Path = field(default_factory=Path)
    _sessions: dict[str, _Large] = field(default_factory=dict)
    _objects: dict[str, _Large] = field(default_factory=dict)

    def forward(self, request: Request) -> Answer:
        match request.operation:
            case "start":
                return self._start(request)
            case "piece" if request.query["upload_id"] in self._sessions:
                return self._piece(request, request.query["upload_id"])
            case "look" | "download" | "patch" | "delete":
                found = _OBJECT.search(request.path)
                name = unquote(found[1]) if found else ""
                if name in self._objects:
                    return self._of(name)[request.operation]()
        return super().forward(request)

    def _of(self, name: str) -> dict[str, Callable[[], Answer]]:
        large = self._objects[name]

        def touched() -> Answer:
            large.facts["metageneration"] = str(int(large.facts["metageneration"]) + 1)
            return _answer(large.facts)

        def removed() -> Answer:
            self._objects.pop(name).path.unlink()
            return Answer(204, {}, b"")

        return {
            "look": lambda: _answer(large.facts),
            "download": lambda: Answer(200, {"content-type": "application/octet-stream"}, _mapped(large.path)),
            "patch": touched,
            "delete": removed,
        }

    def _start(self, request: Request) -> Answer:
        session, document = uuid.uuid4().hex, json.loads(request.body)
        path = self.folder / session
        facts = {
            "name": request.query.get("name") or name_in(request.body),
            "generation": str(len(self._objects) + 1),
            "metageneration": "1",
        }
        self._sessions[session] = _Large(path, path.open("xb"), facts, document.get("crc32c", ""))
        place = f"http://localhost:{self.emulator_port}/upload/storage/v1/b/any/o?upload_id={session}"
        return Answer(200, {"location": place}, b"")

    def _piece(self, request: Request, session: str) -> Answer:
        large = self._sessions[session]
        given = next(value for name, value in request.headers.items() if name.lower() == "content-range")
        piece = _PIECE.fullmatch(given)
        assert piece, given
        assert int(piece["start"] or large.stream.tell()) == large.stream.tell(), f"expected no gap, got {given}"
        large.stream.write(request.body)
        large.crc32c = extended(large.crc32c, request.body)
        size_bytes = large.stream.tell()
        if piece["total"] == "*" or int(piece["total"]) > size_bytes:
            return Answer(308, {"range": f"bytes=0-{size_bytes - 1}"}, b"")
        del self._sessions[session]
        large.stream.close()
        if large.wanted_crc32c not in {"", crc32c_text(large.crc32c)}:
            large.path.unlink()
            return refusal(400, "the checksum differs")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        large.facts.update(size=str(size_bytes), crc32c=crc32c_text(large.crc32c), updated=now)
        self._objects[large.facts["name"]] = large
        return _answer(large.facts)


def _answer(document: dict[str, Any]) -> Answer:
    return Answer(200, dict(_JSON), json.dumps(document).encode())


def _mapped(path: Path) -> Any:
    """The bytes of a file, read where they are sent."""
    with path.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
