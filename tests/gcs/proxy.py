"""Stands before the emulator: enforces what it ignores (preconditions, paging), and does harm when told to.

One lock around check and forwarding makes a precondition as atomic as the real service has it. A fault is armed for
one operation and counts how often it fired: a test of a fault that never fired has shown nothing.
"""

import json
import re
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

OPERATIONS = ("look", "download", "list", "upload", "start", "piece", "patch", "delete", "rewrite")
STATUSES = ("429", "500", "503")
FAULTS = (*STATUSES, "reset before", "lost answer", "answered 503", "truncated", "flipped")
"""``lost answer`` and ``answered 503``: done, and told otherwise. ``truncated``, ``flipped``: the body on its way."""

_OBJECT = re.compile(r"/(?:download/)?storage/v1/b/(?P<bucket>[^/]+)/o/(?P<name>[^/]+)")
_PAGE = 1000


@dataclass
class Fault:
    operation: str
    kind: str
    skip: int = 0
    """Requests of the operation that pass first."""
    times: int = 1
    fired: int = 0

    def is_due(self, operation: str) -> bool:
        if operation != self.operation or self.fired >= self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.fired += 1
        return True


@dataclass
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    @property
    def operation(self) -> str:
        path, query = urlsplit(self.path).path, self.query
        if path.startswith("/upload/"):
            if "upload_id" in query:
                return "piece"
            return "start" if query.get("uploadType") == "resumable" else "upload"
        if "/rewriteTo/" in path:
            return "rewrite"
        if self.method == "GET" and _OBJECT.fullmatch(path):
            return "download" if path.startswith("/download/") or query.get("alt") == "media" else "look"
        if self.method == "GET" and path.endswith("/o"):
            return "list"
        return {"PATCH": "patch", "DELETE": "delete"}.get(self.method, "other")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.body) if self.body else {}


class Broken(Exception):
    """The connection ends here, with a reset."""


@dataclass
class Proxy:
    """What stands before one emulator. ``requests`` counts by operation."""

    emulator_port: int
    port: int = 0
    enforces: bool = True
    faults: list[Fault] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    uploads: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)

    def arm(self, operation: str, kind: str, *, skip: int = 0, times: int = 1) -> Fault:
        assert operation in OPERATIONS
        assert kind in FAULTS
        fault = Fault(operation, kind, skip, times)
        self.faults = [fault]
        return fault

    def calm(self) -> None:
        self.faults = []

    def answer(self, request: Request) -> Answer:
        with self.lock:
            operation = request.operation
            self.requests[operation] = self.requests.get(operation, 0) + 1
            kind = next((fault.kind for fault in self.faults if fault.is_due(operation)), "")
            if kind in STATUSES:
                return refusal(int(kind), "a fault of the service")
            if kind == "reset before":
                raise Broken
            if kind in {"truncated", "flipped"} and operation in {"upload", "piece"}:
                request = _harmed(request, kind)
                if kind == "truncated" and operation == "upload":
                    raise Broken
            answer = self._enforced(request, operation)
            if kind == "lost answer":
                raise Broken
            if kind == "answered 503":
                return refusal(503, "a fault of the service, after the fact")
            if kind == "flipped" and operation == "download":
                answer.body = _flipped(answer.body)
            if kind == "truncated" and operation not in {"upload", "piece"}:
                answer.headers["content-length"] = str(len(answer.body))
                answer.body = answer.body[: len(answer.body) // 2]
            return answer

    def _enforced(self, request: Request, operation: str) -> Answer:
        if operation == "list":
            return self._page(request)
        query, target = request.query, self._target(request, operation)
        if operation == "piece" and query["upload_id"] in self.uploads:
            target, query = self.uploads[query["upload_id"]]
        if self.enforces and target and (refused := self._refused(target, query, operation)):
            return refused
        if self.enforces and operation == "rewrite" and (refused := self._source_refused(request)):
            return refused
        answer = self.forward(request)
        if operation == "start" and answer.status == 200:
            upload_id = parse_qs(urlsplit(answer.headers["location"]).query)["upload_id"][0]
            self.uploads[upload_id] = (target, request.query)
            answer.headers["location"] = answer.headers["location"].replace(f":{self.emulator_port}/", f":{self.port}/")
        if answer.status == 409 and b"heck" in answer.body:
            return refusal(400, "the checksum differs")  # as the service says it
        return answer

    def _refused(self, target: str, query: dict[str, str], operation: str) -> Answer | None:
        if not {"ifGenerationMatch", "ifMetagenerationMatch"} & set(query):
            return None
        found = self.forward(Request("GET", target, {}, b""))
        if found.status == 404:
            must_be_there = query.get("ifGenerationMatch", "0") != "0" or "ifMetagenerationMatch" in query
            is_write = operation in {"upload", "start", "piece", "rewrite"}
            return refusal(412 if is_write else 404, "no such object") if must_be_there else None
        facts = found.document
        is_met = query.get("ifGenerationMatch", facts["generation"]) == facts["generation"]
        is_met &= query.get("ifMetagenerationMatch", facts["metageneration"]) == facts["metageneration"]
        return None if is_met else refusal(412, "a precondition is not met")

    def _source_refused(self, request: Request) -> Answer | None:
        source = urlsplit(request.path).path.partition("/rewriteTo/")[0]
        wanted = request.query.get("ifSourceGenerationMatch")
        found = self.forward(Request("GET", source, {}, b""))
        if found.status != 200:
            return refusal(404, "no such source")
        return None if wanted in {None, found.document["generation"]} else refusal(412, "another source")

    def _target(self, request: Request, operation: str) -> str:
        """Path of the object that a request changes or reads."""
        path = urlsplit(request.path).path
        if operation in {"upload", "start"}:
            name = request.query.get("name") or name_in(request.body)
            bucket = path.split("/b/")[1].split("/")[0]
            return f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
        if operation == "rewrite":
            return "/storage/v1" + path.partition("/rewriteTo")[2]
        match = _OBJECT.fullmatch(path)
        return f"/storage/v1/b/{match['bucket']}/o/{match['name']}" if match else ""

    def _page(self, request: Request) -> Answer:
        answer, query = self.forward(request), request.query
        if answer.status != 200:
            return answer
        document = answer.document
        start = query.get("pageToken") or query.get("startOffset", "")
        items = [item for item in document.get("items") or [] if item["name"] >= start]
        size = min(int(query.get("maxResults", _PAGE)), _PAGE)
        document["items"] = items[:size]
        if len(items) > size:
            document["nextPageToken"] = items[size]["name"]
        answer.body = json.dumps(document).encode()
        answer.headers["content-length"] = str(len(answer.body))
        return answer

    def forward(self, request: Request) -> Answer:
        connection = HTTPConnection("localhost", self.emulator_port, timeout=120)
        try:
            kept = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
            connection.request(request.method, request.path, request.body or None, {**kept, "Connection": "close"})
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())
        finally:
            connection.close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def handle_one_request(self) -> None:
        with suppress(ConnectionError, ValueError):  # the client went away
            super().handle_one_request()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, dict(self.headers.items()), body)
        try:
            answer = self.proxy.answer(request)
        except Broken:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
            return
        told = int(answer.headers.get("content-length", len(answer.body)))
        is_cut = told > len(answer.body) and self.command != "HEAD"
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name not in {"content-length", "connection", "date", "server", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(told if is_cut else len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        if is_cut:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _handle  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def running(proxy: Proxy) -> Iterator[Proxy]:
    """Serve on a free port until the block ends."""
    server = ThreadingHTTPServer(("localhost", 0), type("Bound", (Handler,), {"proxy": proxy}))
    server.daemon_threads = True
    proxy.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


def name_in(body: bytes) -> str:
    """The object's, of a multipart upload, or of the document that starts a resumable one."""
    return json.loads(body[body.index(b"{") : body.index(b"}\r") + 1] if b"\r\n" in body else body)["name"]


def _harmed(request: Request, kind: str) -> Request:
    body = _flipped(request.body) if kind == "flipped" else request.body[: len(request.body) // 2]
    headers = dict(request.headers)
    if kind == "truncated" and (place := next((name for name in headers if name.lower() == "content-range"), None)):
        start, _, total = re.fullmatch(r"bytes (\d+)-(\d+)/(.+)", headers[place]).groups()  # type: ignore[union-attr]
        headers[place] = f"bytes {start}-{int(start) + len(body) - 1}/{total}"
    return Request(request.method, request.path, headers, body)


def _flipped(body: bytes) -> bytes:
    """One bit near the middle."""
    at = len(body) // 2
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


def refusal(status: int, message: str) -> Answer:
    document = {"error": {"code": status, "message": message}}
    return Answer(status, {"content-type": "application/json"}, json.dumps(document).encode())


def object_path(bucket: str, name: str) -> str:
    return f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}"


def object_name(path: str) -> str:
    return unquote(urlsplit(path).path.rsplit("/", 1)[-1])
