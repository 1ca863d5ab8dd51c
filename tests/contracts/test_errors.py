"""The tree in the docstring is the tree of the classes."""

import pytest

from contracts import errors
from contracts.errors import ConfigError, SparkleError


def drawn_tree() -> dict[str, str | None]:
    """Class -> parent, as drawn."""
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if line.lstrip().startswith("- "):
            depth = (len(line) - len(line.lstrip())) // 2
            name = line.split()[1]
            above[depth:] = [name]
            parents[name] = above[depth - 1] if depth else None
    return parents


def real_tree() -> dict[str, str | None]:
    classes = [item for item in vars(errors).values() if isinstance(item, type)]
    return {item.__name__: None if item is SparkleError else item.__bases__[0].__name__ for item in classes}


def test_the_docstring_draws_the_classes() -> None:
    assert drawn_tree() == real_tree()
    assert len(real_tree()) > 10


def test_every_error_is_a_sparkle_error_with_a_docstring() -> None:
    for name in real_tree():
        error = getattr(errors, name)
        assert issubclass(error, SparkleError)
        assert error.__doc__


@pytest.mark.parametrize(
    ("file", "line", "text"),
    [
        ("configs/a.yaml", 7, "configs/a.yaml:7: wrong"),
        ("configs/a.yaml", None, "configs/a.yaml: wrong"),
        (None, None, "wrong"),
    ],
)
def test_a_config_error_names_its_place(file: str | None, line: int | None, text: str) -> None:
    assert str(ConfigError("wrong", file=file, line=line)) == text
