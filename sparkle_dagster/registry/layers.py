"""Configuration files laid over each other, with the origin of every value. Not here: what the values mean."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.errors import ConfigError
from sparkle_dagster.yaml_file import LocatedDocument, ValuePath

_NAME_TO_REPLACE = re.compile(r"\$\{([^{}]*)\}")
_SECRET_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Origin:
    """Where a value stands; ``line`` is 1-based."""

    file: str
    line: int | None


class LayeredDocument:
    """Mappings are merged key by key; any other value of a later file replaces the earlier one's."""

    def __init__(self, layers: Sequence[LocatedDocument]) -> None:
        self._layers = tuple(layers)
        merged: dict[str, Any] = {}
        for layer in layers:
            merged = _merged(merged, layer.data)
        self.data = merged

    def explain(self, path: ValuePath) -> Origin:
        """The file and line that set the value at ``path``; the nearest parent's where nothing stands there."""
        for length in range(len(path), 0, -1):
            for layer in reversed(self._layers):
                if _stands(layer.data, path[:length]):
                    return Origin(layer.file, layer.line_of(path[:length]))
        return Origin(self._layers[0].file, None)

    def error(self, message: str, path: ValuePath = ()) -> ConfigError:
        """A ConfigError that points at ``path``."""
        origin = self.explain(path)
        return ConfigError(message, file=origin.file, line=origin.line)

    def replaced(self, values: Mapping[str, str]) -> dict[str, Any]:
        """The merged data with ``${NAME}`` replaced, once, in texts.

        Raises:
            ConfigError: a name that is not in ``values``, or a secret that is written out.
        """

        def text(value: str, path: ValuePath) -> str:
            if path[-1] == "secret" and not _SECRET_REFERENCE.fullmatch(value):
                raise self.error("expected a reference such as env:OPENAI_API_KEY, got something else", path)
            return _NAME_TO_REPLACE.sub(lambda match: known(match[1], path), value)

        def known(name: str, path: ValuePath) -> str:
            if name not in values:
                raise self.error(f"unknown ${{{name}}}; {among(values, name, '${{{}}}')}", path)
            return values[name]

        data: dict[str, Any] = _mapped_texts(self.data, text, ())
        return data


def among(names: Iterable[str], wrong: str, form: str = "{}") -> str:
    """``known: a, b, c; did you mean b?``"""
    listed = sorted(names)
    shown = ", ".join(form.format(name) for name in listed) or "none"
    close = difflib.get_close_matches(wrong, listed, n=1)
    return f"known: {shown}" + (f"; did you mean {form.format(close[0])}?" if close else "")


def _merged(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(lower)
    for key, value in upper.items():
        below = result.get(key)
        result[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _stands(data: Any, path: ValuePath) -> bool:
    for part in path:
        if isinstance(data, list):
            data = dict(enumerate(data))
        if not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True


def _mapped_texts(value: Any, change: Callable[[str, ValuePath], str], path: ValuePath) -> Any:
    if isinstance(value, str):
        return change(value, path)
    if isinstance(value, dict):
        return {key: _mapped_texts(item, change, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped_texts(item, change, (*path, index)) for index, item in enumerate(value)]
    return value
