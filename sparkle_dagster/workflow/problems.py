"""Everything wrong with one file, found in one go and told one problem a line."""

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from contracts.errors import ConfigError
from sparkle_dagster.yaml_file import LocatedDocument, ValuePath

MAX_SHOWN_CHARACTERS = 80


class Problems:
    """Collects what is wrong with ``document``; nothing is raised before ``raise_if_any``."""

    def __init__(self, document: LocatedDocument) -> None:
        self._document = document
        self._found: list[ConfigError] = []

    def add(self, message: str, path: ValuePath) -> None:
        self._found.append(self._document.error(message, path))

    def add_validation(self, error: ValidationError, model: type[BaseModel], where: str, base: ValuePath) -> None:
        """One problem per wrong field of ``model``; ``base`` is where its document stands in the file."""
        for item in error.errors(include_url=False):
            self.add(f"{where}{told(item, model)}", (*base, *_place(item)))

    def raise_if_any(self) -> None:
        """Raises: ConfigError: all problems by line, the first one's place as the error's own."""
        if not self._found:
            return
        first, *rest = sorted(self._found, key=lambda problem: problem.line or 0)
        message = "\n".join([first.message, *(str(problem) for problem in rest)])
        raise ConfigError(message, file=first.file, line=first.line)


def alternatives(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'script'? known: lipsync, script``."""
    names = sorted(known)
    if not names:
        return ""
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" did you mean {close[0]!r}?" if close else ""
    return f";{hint} known: {', '.join(names)}"


def shown(value: object) -> str:
    """``value`` as an error may show it."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[: MAX_SHOWN_CHARACTERS - 3] + "..."


def told(item: Any, model: type[BaseModel]) -> str:
    """One item of ``ValidationError.errors()`` of ``model`` as ``field.path: expected ..., got ...``."""
    path: tuple[str | int, ...] = item["loc"]
    if item["type"] in {"extra_forbidden", "missing"}:
        place = f"{_dotted(path[:-1])}: " if path[:-1] else ""
        return place + _told_key(item["type"], path, model)
    place = f"{_dotted(path)}: " if path else ""
    if item["type"] in {"too_long", "too_short"}:
        return place + _told_length(item["ctx"])
    message: str = item["msg"].removeprefix("Value error, ")
    if item["type"] == "value_error":  # ours: it says already what came
        return place + message
    if item["type"] == "model_type":
        message = "expected a mapping"
    for words, ours in _PYDANTIC_WORDS.items():
        message = message.replace(words, ours)
    return f"{place}{message}, got {shown(item['input'])}"


_PYDANTIC_WORDS = {
    "Input should be a valid dictionary": "expected a mapping",
    "Input should be a valid tuple": "expected a list",
    "Input should be a valid string": "expected text",
    "Input should be less": "expected a value less",
    "Input should be greater": "expected a value greater",
    "Input should be": "expected",
    "String should match": "expected text of the",
    "String should have": "expected text of",
}


def _place(item: Any) -> ValuePath:
    """Where it is wrong: a validator of a whole mapping names the key at the start of its message."""
    path: ValuePath = item["loc"]
    key = item["msg"].removeprefix("Value error, ").partition(": ")[0]
    return (*path, key) if isinstance(item["input"], dict) and key in item["input"] else path


def _told_key(kind: str, path: tuple[str | int, ...], model: type[BaseModel]) -> str:
    key = str(path[-1])
    if kind == "missing":
        return f"missing key {key!r}"
    return f"unknown key {key!r}{alternatives(key, _keys_at(model, path[:-1]))}"


def _told_length(context: dict[str, int]) -> str:
    limit = context.get("max_length") or context["min_length"]
    bound = "at most" if "max_length" in context else "at least"
    return f"expected {bound} {limit} item{'' if limit == 1 else 's'}, got {context['actual_length']}"


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in path)


def _keys_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Keys that the model at ``path`` inside ``model`` knows."""
    for part in path:
        if isinstance(part, int):
            continue  # an item of a list: its model was found with the list
        field = model.model_fields.get(part)
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in ``M``, ``M | None`` or ``tuple[M, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
