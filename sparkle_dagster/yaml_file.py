"""A configuration file as plain values, each with its line. Not here: what the values mean.

Both forms go through one event stream: YAML 1.2's core schema (``no`` and ``on`` are texts, dates stay texts) and
JSON. What would make a file mean more than it shows is refused: duplicate keys, anchors, aliases, merge keys, tags.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml import events as ev
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from contracts.errors import ConfigError

MAX_SIZE_BYTES = 2**20
MAX_DEPTH = 20

ValuePath = tuple[str | int, ...]

# YAML 1.2.2, chapter 10.3.2: tag resolution of the core schema.
_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True)
class LocatedDocument:
    """``data`` of one file, and where each part of it stands."""

    data: dict[str, Any]
    file: str
    """As the user would type it: relative to the working directory where that is possible."""
    lines: Mapping[ValuePath, int] = field(repr=False)

    def line_of(self, path: ValuePath) -> int | None:
        """1-based line of the key or list item at ``path``; of the nearest known parent where there is none."""
        for length in range(len(path), -1, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return line
        return None

    def error(self, message: str, path: ValuePath = ()) -> ConfigError:
        """A ConfigError that points at ``path``."""
        return ConfigError(message, file=self.file, line=self.line_of(path))


def load_document(path: Path) -> LocatedDocument:
    """Read a YAML file, or JSON when its name ends in ``.json``.

    Raises:
        ConfigError: it cannot be read, is not one mapping, or uses what is refused here.
    """
    file = shown_path(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_SIZE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the file: {error.strerror}", file=file) from error
    if len(content) > MAX_SIZE_BYTES:
        raise ConfigError(f"expected at most {MAX_SIZE_BYTES:,} bytes, got more", file=file)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError("expected UTF-8 text, got other bytes", file=file, line=line) from error
    return parse_document(text, file, is_json=path.suffix.lower() == ".json")


def parse_document(text: str, file: str, *, is_json: bool = False) -> LocatedDocument:
    """As ``load_document``, of text; ``file`` is only named in errors."""
    if is_json:
        _check_json(text, file)
    # Valid JSON has tabs between tokens only, where YAML's scanner does not take them.
    reader = _Reader(file, text.replace("\t", " ") if is_json else text)
    data = reader.read()
    if not isinstance(data, dict):
        found = "an empty file" if data is None else _kind_of(data)
        raise ConfigError(f"expected a mapping at the top, got {found}", file=file, line=1)
    return LocatedDocument(data=data, file=file, lines=reader.lines)


def shown_path(path: Path) -> str:
    """``path`` as the user would type it from here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else str(path)


def _check_json(text: str, file: str) -> None:
    """Refuse what is YAML but not JSON; the values are read in one way for both."""

    def refuse(constant: str) -> NoReturn:
        raise ConfigError(f"expected a finite number, got {constant}", file=file)

    try:
        json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        message = f"expected JSON: {error.msg} (column {error.colno})"
        raise ConfigError(message, file=file, line=error.lineno) from error
    except RecursionError as error:
        raise ConfigError(f"expected at most {MAX_DEPTH} levels, got more", file=file) from error
    except ValueError as error:
        raise ConfigError(f"expected JSON: {error}", file=file) from error


class _Reader:
    """One pass over the events of one document."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.lines: dict[ValuePath, int] = {}
        self._events = self._checked_events(text)

    def read(self) -> object:
        """The document's value. Raises: ConfigError."""
        data: object = None
        found = 0
        for event in self._events:
            if isinstance(event, ev.DocumentStartEvent):
                found += 1
                if found > 1:
                    self._refuse("expected one document in the file, got a second one", event)
                data = self._value(next(self._events), ())
        return data

    def _checked_events(self, text: str) -> Iterator[ev.Event]:
        try:
            for event in YAML(typ="safe", pure=True).parse(text):
                self._check(event)
                yield event
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise ConfigError(_one_line(error), file=self.file, line=mark.line + 1 if mark else None) from error
        except ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            message = f"not YAML: the character U+{error.character:04X} is not allowed"
            raise ConfigError(message, file=self.file, line=line) from error
        except (ValueError, OverflowError) as error:  # the scanner hands any \U escape to chr()
            raise ConfigError("not YAML: an escape in quotes that means no character", file=self.file) from error

    def _check(self, event: ev.Event) -> None:
        if isinstance(event, ev.AliasEvent):
            self._refuse(f"aliases are not allowed, got *{event.anchor}; write the value out", event)
        if isinstance(event, ev.NodeEvent) and event.anchor:
            self._refuse(f"anchors are not allowed, got &{event.anchor}; write the value where it is used", event)
        if isinstance(event, ev.ScalarEvent | ev.CollectionStartEvent) and event.tag:
            self._refuse(f"tags are not allowed, got {event.tag}", event)
        if isinstance(event, ev.DocumentStartEvent) and (event.tags or event.version not in {None, (1, 2)}):
            self._refuse("expected YAML 1.2 without directives", event)

    def _value(self, event: ev.Event, path: ValuePath) -> object:
        self.lines.setdefault(path, event.start_mark.line + 1)
        if isinstance(event, ev.ScalarEvent):
            return self._scalar(event)
        if len(path) >= MAX_DEPTH:
            self._refuse(f"expected at most {MAX_DEPTH} levels, got more", event)
        if isinstance(event, ev.MappingStartEvent):
            return self._mapping(path)
        return self._sequence(path)

    def _sequence(self, path: ValuePath) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(self._events), ev.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: ValuePath) -> dict[str, object]:
        values: dict[str, object] = {}
        while not isinstance(event := next(self._events), ev.MappingEndEvent):
            key = self._key(event)
            if key in values:
                first = self.lines[(*path, key)]
                self._refuse(f"duplicate key {key!r}; it stands first on line {first}", event)
            self.lines[(*path, key)] = event.start_mark.line + 1
            values[key] = self._value(next(self._events), (*path, key))
        return values

    def _key(self, event: ev.Event) -> str:
        if not isinstance(event, ev.ScalarEvent):
            self._refuse("expected text as a key, got a list or mapping", event)
        if event.implicit[0] and event.value == "<<":
            self._refuse("merge keys (<<) are not allowed; write the keys out", event)
        key = self._scalar(event)
        if not isinstance(key, str):
            self._refuse(f"expected text as a key, got {event.value or 'nothing'}; put it in quotes", event)
        return key

    def _scalar(self, event: ev.ScalarEvent) -> object:
        try:
            text = _without_surrogates(event.value)
        except UnicodeDecodeError:
            self._refuse("expected text, got half of a surrogate pair", event)
        if not event.implicit[0]:  # quoted or a block: always text
            return text
        if _NOT_FINITE.fullmatch(text):
            self._refuse(f"expected a finite number, got {text}; put it in quotes if it is a text", event)
        try:
            return _core_schema(text)
        except ValueError:
            self._refuse(f"expected a number that fits, got one of {len(text)} characters", event)

    def _refuse(self, message: str, event: ev.Event) -> NoReturn:
        raise ConfigError(message, file=self.file, line=event.start_mark.line + 1)


def _core_schema(text: str) -> object:
    """A plain scalar's value. Raises: ValueError: the number is too long or too large."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return _TRUE.fullmatch(text) is not None
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(text)
        return number
    return text


def _without_surrogates(text: str) -> str:
    """JSON escapes characters beyond U+FFFF as pairs, which YAML's scanner leaves apart.

    Raises: UnicodeDecodeError: half of a pair.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


def _one_line(error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    parts = [" ".join(str(part).split()) for part in (error.context, error.problem) if part]
    column = f" (column {mark.column + 1})" if mark else ""
    return f"not YAML: {', '.join(parts)}{column}"


def _kind_of(value: object) -> str:
    return "a list" if isinstance(value, list) else f"the value {value!r}"
