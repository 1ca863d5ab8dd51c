"""One reader of the environment, and ``.env_sample`` names exactly what it reads."""

import ast
import re
from collections.abc import Iterator

import pytest

from sparkle_dagster.settings import SELECTORS, load_settings
from tests.architecture.project_files import PACKAGES, PROJECT, Module, modules

READER = "sparkle_dagster/settings.py"
MARKS = {"SPARKLE_ATTEMPT"}
"""Put on a provider's processes so that they are found again; no setting, and nobody's to choose."""
SELECTOR = re.compile(r"SPARKLE_[A-Z0-9_]+")


def sample_values() -> dict[str, str]:
    lines = (PROJECT / ".env_sample").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("#")[0].partition("=") for line in lines)
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def environment_reads(module: Module) -> Iterator[str]:
    """``file:line`` of everything that touches the process's environment."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv", "EnvVar", "load_dotenv"}
    for node in ast.walk(module.tree):
        used = [node.attr] if isinstance(node, ast.Attribute) else []
        if isinstance(node, ast.ImportFrom):
            used = [alias.name for alias in node.names]
        if names.intersection(used):
            yield f"{module.path}:{node.lineno}"  # pyright: ignore[reportAttributeAccessIssue]


def selectors_named(module: Module) -> set[str]:
    """Names of selectors that stand as whole texts in a module."""
    constants = (node.value for node in ast.walk(module.tree) if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str) and SELECTOR.fullmatch(value)}


@pytest.mark.requirement("S49")
def test_the_sample_names_what_the_settings_read() -> None:
    (settings,) = (module for module in modules("sparkle_dagster") if module.path == READER)
    assert set(sample_values()) == selectors_named(settings) == set(SELECTORS)


def test_the_sample_shows_the_defaults() -> None:
    assert sample_values() == dict(SELECTORS)


@pytest.mark.requirement("S49")
def test_every_selector_of_the_sample_is_really_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SELECTORS:
        monkeypatch.delenv(name, raising=False)
    before = load_settings(PROJECT)
    for name in sample_values():
        with monkeypatch.context() as patch:
            patch.setenv(name, "else")
            assert load_settings(PROJECT) != before, name


def test_no_other_selector_is_named_anywhere() -> None:
    named = {name for module in modules(*PACKAGES) for name in selectors_named(module)}
    assert named - MARKS <= set(sample_values())


@pytest.mark.requirement("S3", "S15")
def test_only_the_settings_touch_the_environment() -> None:
    found = {module.path: list(environment_reads(module)) for module in modules(*PACKAGES)}
    assert [place for path, places in found.items() if path != READER for place in places] == []
    assert found[READER]


@pytest.mark.parametrize(
    "line",
    [
        "os.environ['A']",
        "os.environ.get('A')",
        "os.getenv('A')",
        "from os import environ",
        "from os import getenv as read",
        "dict(os.environ)",
        "dg.EnvVar('A')",
        "import os as o; o.environ",
    ],
)
def test_a_read_would_be_found(line: str) -> None:
    assert list(environment_reads(Module("x.py", ast.parse(line)))) == ["x.py:1"]
