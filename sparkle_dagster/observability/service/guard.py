"""Who may ask the status service: this machine, or whoever has the workspace's token."""

import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from contracts.errors import ConfigError
from contracts.tool_registry import StatusService
from sparkle_dagster.settings import read_secret

COOKIE = "sparkle_token"
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
THIS_MACHINE = "localhost"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def required_token(service: StatusService) -> str | None:
    """What callers must show; None where only this machine can reach the service.

    Raises:
        ConfigError: others could reach it, and no token is configured.
    """
    if service.token is not None:
        return read_secret(service.token.secret)
    if not _is_this_machine(service.host):
        raise ConfigError(
            f"settings.services.status: expected a token where others reach the service ({service.host}), got none; "
            "add token: {secret: env:NAME}, or set host to this machine alone",
            file="configs/tool_registry.yaml",
        )
    return None


class Guard:
    """Wraps the application.

    Without a token a page of another site, opened in a browser on this machine, could call the service: requests for
    another host name, and changes that another site's page asks for, are refused.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["path"] in OPEN_PATHS:
            return None
        headers = Headers(scope=scope)
        if self._token is None:
            if not _is_this_machine(_host_of(f"//{headers.get('host', '')}")):
                return refused(403, "expected a request for this machine, got one for another host name")
        elif not self._has_token(scope, headers):
            query = QueryParams(scope["query_string"])
            if scope["method"] == "GET" and self._is_token(query.get("token", "")):
                answer = RedirectResponse(scope["path"], 303)  # so that the token leaves the address bar
                answer.set_cookie(COOKIE, self._token, httponly=True, samesite="strict")
                return answer
            return refused(401, "expected the workspace's token (Authorization: Bearer TOKEN), got none or another")
        origin = headers.get("origin")
        if scope["method"] not in _SAFE_METHODS and origin and urlsplit(origin).netloc != headers.get("host"):
            return refused(403, f"expected a request of this service's own pages, got one of {origin}")
        return None

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_token(value)
        cookies = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        return any(name == COOKIE and self._is_token(value) for name, _, value in cookies)

    def _is_token(self, value: str) -> bool:
        return hmac.compare_digest(value.encode(), (self._token or "").encode())


def refused(status: int, message: str, **more: object) -> JSONResponse:
    """An error as this service answers it."""
    return JSONResponse({"error": message, **more}, status)


def _is_this_machine(host: str) -> bool:
    if host == THIS_MACHINE:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
