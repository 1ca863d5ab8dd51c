"""What commands print: text for people, JSON for programs, errors on stderr.

With ``--json`` standard output is one JSON document, also when the command fails: then ``{"error": ..., "message":
...}``, and the exit code is not 0.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

JsonOption = typer.Option(False, "--json", help="Print JSON for programs.")


def console() -> Console:
    """Standard output; plain when it is not a terminal."""
    return Console(highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def wants_json() -> bool:
    """The command was asked to answer a program; known before its arguments are understood."""
    return "--json" in sys.argv[1:]


def fail(
    message: str,
    *,
    error: str = "Failed",
    hint: str = "",
    code: int = 1,
    details: Mapping[str, Any] | None = None,
) -> NoReturn:
    """End the command: what went wrong, and the next thing to type.

    Args:
        error: what kind of error, for programs, such as ``ConfigError``.
        details: more for programs, beside ``error`` and ``message``.
    """
    if wants_json():
        print_json({"error": error, "message": message, **({"hint": hint} if hint else {}), **(details or {})})
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    errors.print(f"[bold red]error[/] {escape(message)}")
    if hint:
        errors.print(f"[dim]next[/]  {escape(hint)}")
    raise SystemExit(code)


def quiet(_text: str) -> None:
    """Say nothing: the output is for a program."""
