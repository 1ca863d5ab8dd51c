"""The example proxy in a real nginx: nothing without a login, the password stays at the door, the token is added."""

import base64
import http.server
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from string import Template

import pytest

from tests.system_packages import program

TEMPLATE = Path(__file__).parents[2] / "docker/nginx.conf.template"
TOKEN, NAME, PASSWORD = "the token", "anna", "open sesame"
MAIN = """
daemon off; pid {root}/pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
    include {root}/site.conf;
}}
"""

pytestmark = pytest.mark.system


class Upstream(http.server.BaseHTTPRequestHandler):
    """Says what it was asked, and with which authority."""

    def do_GET(self) -> None:
        body = f"{self.server.server_port} {self.path} {self.headers.get('Authorization', 'nothing')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def upstreams() -> Iterator[tuple[int, int]]:
    servers = [http.server.ThreadingHTTPServer(("localhost", 0), Upstream) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield servers[0].server_port, servers[1].server_port
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def door(upstreams: tuple[int, int], tmp_path: Path) -> Iterator[int]:
    nginx = program("nginx")
    with socket.create_server(("localhost", 0)) as probe:
        port = probe.getsockname()[1]
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", PASSWORD], capture_output=True, text=True, check=True
    ).stdout.strip()
    (tmp_path / "login").write_text(f"{NAME}:{hashed}\n")
    tmp_path.chmod(0o755)
    values = {
        "SPARKLE_PROXY_LISTEN": f"localhost:{port}",
        "SPARKLE_PROXY_LOGIN": str(tmp_path / "login"),
        "SPARKLE_PROXY_WEBSERVER": f"localhost:{upstreams[0]}",
        "SPARKLE_PROXY_STATUS": f"localhost:{upstreams[1]}",
        "SPARKLE_STATUS_TOKEN": TOKEN,
    }
    (tmp_path / "site.conf").write_text(Template(TEMPLATE.read_text()).safe_substitute(values))
    (tmp_path / "nginx.conf").write_text(MAIN.format(root=tmp_path))
    process = subprocess.Popen([nginx, "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path), "-g", "user root;"])
    try:
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("localhost", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < end
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def ask(port: int, path: str, password: str | None) -> tuple[int, str]:
    connection = HTTPConnection("localhost", port, timeout=30)
    login = base64.b64encode(f"{NAME}:{password}".encode()).decode()
    connection.request("GET", path, headers={"Authorization": f"Basic {login}"} if password else {})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


@pytest.mark.requirement("X7")
def test_nobody_passes_without_a_login_and_the_token_is_added(door: int, upstreams: tuple[int, int]) -> None:
    for path in ("/", "/graphql", "/status/", "/status/productions"):
        assert ask(door, path, None)[0] == 401
        assert ask(door, path, "wrong")[0] == 401
    assert ask(door, "/runs", PASSWORD) == (200, f"{upstreams[0]} /runs nothing")
    assert ask(door, "/status/productions", PASSWORD) == (200, f"{upstreams[1]} /productions Bearer {TOKEN}")
