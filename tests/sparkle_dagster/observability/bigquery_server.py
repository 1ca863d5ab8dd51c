"""An HTTP server that answers what BigQuery's API answers to a writer of rows: tokens, tables, insertAll, errors.

It de-duplicates by insert id as the real one does, refuses rows that the table's schema does not know, and can be
told to be down (503), to lose its answer after it took the rows, or to hang.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TABLES = "/bigquery/v2/projects/studio/datasets/watch/tables"


@dataclass
class State:
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    schema: dict[str, str] = field(default_factory=dict)
    mode: str = "up"
    """up, down, deaf (takes rows, loses the answer) or hanging."""
    requests: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def bigquery_server() -> Iterator[State]:
    state = State()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def account_file(folder: Path, state: State) -> Path:
    """A service account that the server knows, as Google's client reads it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    account = {"type": "service_account", "client_email": "watch@studio", "token_uri": f"{state.url}/token"}
    file = folder / "account.json"
    file.write_text(json.dumps({**account, "private_key": pem.decode(), "project_id": "studio"}))
    return file


def _handler(state: State) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """A table that is there already."""
            fields = [{"name": name, "type": kind} for name, kind in state.schema.items()]
            reference = {"projectId": "studio", "datasetId": "watch", "tableId": "node_events"}
            self._answer(200, {"tableReference": reference, "schema": {"fields": fields}})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/token":
                self._answer(200, {"access_token": "t", "token_type": "Bearer", "expires_in": 3600})
                return
            state.requests += 1
            if self.headers.get("Authorization") != "Bearer t":
                self._answer(401, _error(401, "no token"))
            elif state.mode == "hanging":
                state.released.wait(60)
            elif state.mode == "down":
                self._answer(503, _error(503, "backendError"))
            else:
                self._dispatch(json.loads(body))

        def _dispatch(self, document: dict[str, Any]) -> None:
            if self.path.startswith(f"{TABLES}?") or self.path == TABLES:
                if state.schema:
                    self._answer(409, _error(409, "duplicate"))
                    return
                state.schema.update({item["name"]: item["type"] for item in document["schema"]["fields"]})
                self._answer(200, document)
            elif "/insertAll" in self.path:
                errors = _inserted(state, document["rows"])
                if state.mode == "deaf":
                    self._answer(503, _error(503, "backendError"))
                else:
                    self._answer(200, {"kind": "bigquery#tableDataInsertAllResponse", **errors})
            else:
                self._answer(404, _error(404, "notFound"))

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
            pass

    return Handler


def _inserted(state: State, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All rows, or none and why, as without ``skipInvalidRows``."""
    bad = {index for index, row in enumerate(rows) if row["json"].keys() - state.schema.keys()}
    bad |= {index for index, row in enumerate(rows) if "poison" in str(row["json"].get("message", ""))}
    if bad:
        reasons = ["invalid" if index in bad else "stopped" for index in range(len(rows))]
        return {
            "insertErrors": [
                {"index": index, "errors": [{"reason": reason, "message": "", "location": ""}]}
                for index, reason in enumerate(reasons)
            ]
        }
    for row in rows:
        state.rows.setdefault(row["insertId"], row["json"])
    return {}


def _error(code: int, reason: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": reason, "errors": [{"reason": reason, "message": reason}]}}
