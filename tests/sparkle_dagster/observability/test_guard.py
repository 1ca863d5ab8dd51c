"""Who may ask the status service, and who may change something."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from contracts.errors import ConfigError
from contracts.tool_registry import SecretReference, StatusService
from sparkle_dagster.observability.service.guard import Guard, required_token

TOKEN = "a-long-secret"


class Caller:
    """Asks an application without a socket; keeps cookies as a browser does."""

    def __init__(self, app: Any, base_url: str) -> None:
        self.base_url = base_url
        self._app = app
        self._cookies = httpx.Cookies()

    def get(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._ask("GET", path, options))

    def post(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, options))

    async def _ask(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url=self.base_url, cookies=self._cookies) as client:
            answer = await client.request(method, path, **options)
            self._cookies.update(client.cookies)
            return answer


def client(token: str | None, base: str = "http://127.0.0.1:{port}") -> Caller:
    async def hello(_request: Request) -> Response:
        return PlainTextResponse("hello")

    routes = [Route(path, hello, methods=["GET", "POST"]) for path in ("/x", "/healthz")]
    return Caller(Guard(Starlette(routes=routes), token), base.format(port=1))


@pytest.mark.parametrize("base", ["http://127.0.0.1:{port}", "http://localhost:{port}", "http://[::1]:{port}"])
def test_this_machine_needs_no_token(base: str) -> None:
    assert client(None, base).get("/x").status_code == 200


def test_another_host_name_is_refused_without_a_token() -> None:
    assert client(None).get("/x", headers={"Host": "rebound.example"}).status_code == 403
    assert client(None).get("/x", headers={"Host": "[::1"}).status_code == 403


def test_token_is_asked_for_and_compared_whole() -> None:
    asked = client(TOKEN, "http://studio.example")
    assert asked.get("/x").status_code == 401
    assert asked.get("/x", headers={"Authorization": "Bearer a-long"}).status_code == 401
    assert asked.get("/x", headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401
    assert asked.get("/x", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert asked.post("/x?token=" + TOKEN).status_code == 401
    assert asked.get("/healthz").status_code == 200


def test_browser_gets_a_cookie_and_the_token_leaves_the_address() -> None:
    browser = client(TOKEN, "http://studio.example")
    answer = browser.get(f"/x?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/x")
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert browser.get("/x").status_code == 200
    assert client(TOKEN, "http://studio.example").get("/x?token=wrong").status_code == 401


@pytest.mark.parametrize("token", [None, TOKEN])
def test_page_of_another_site_cannot_change_anything(token: str | None) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"} if token else {}
    asked = client(token)
    own = str(asked.base_url)
    assert asked.post("/x", headers={**headers, "Origin": own}).status_code == 200
    assert asked.post("/x", headers={**headers, "Origin": "http://elsewhere"}).status_code == 403
    assert asked.post("/x", headers={**headers, "Origin": "null"}).status_code == 403
    assert asked.get("/x", headers={**headers, "Origin": "http://elsewhere"}).status_code == 200


def test_service_that_others_reach_must_have_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = StatusService(host="0.0.0.0", port=0)
    with pytest.raises(ConfigError, match="expected a token where others reach"):
        required_token(everywhere)
    assert required_token(StatusService(host="127.0.0.1", port=0)) is None
    guarded = everywhere.model_copy(update={"token": SecretReference(secret="env:WATCH_TOKEN")})
    with pytest.raises(ConfigError, match="WATCH_TOKEN, found none"):
        required_token(guarded)
    monkeypatch.setenv("WATCH_TOKEN", TOKEN)
    assert required_token(guarded) == TOKEN
