"""What commands print: text for people, JSON for programs, errors on stderr."""

import json
import sys
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


def fail(message: str, *, hint: str = "", code: int = 1) -> NoReturn:
    """End the command: what went wrong, and the next thing to type."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    errors.print(f"[bold red]error[/] {escape(message)}")
    if hint:
        errors.print(f"[dim]next[/]  {escape(hint)}")
    raise SystemExit(code)


def quiet(_text: str) -> None:
    """Say nothing: the output is for a program."""
