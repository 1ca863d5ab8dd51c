"""The compose file without an engine: one daemon, ports as the tool registry says, nothing open, no secret inside."""

from typing import Any

import pytest
from ruamel.yaml import YAML

from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.settings import load_settings
from tests.docker.recipes import COMPOSE, IMAGES, PROJECT, read_compose, read_dockerfile
from tests.docker.test_images import PINNED, installed_commands

SECRET = {"SPARKLE_POSTGRES_PASSWORD": "a word nobody would guess", "SPARKLE_STATUS_TOKEN": "nor this one"}
OF_THE_BASE = {"flock", "python", "pg_isready"}
"""Commands that the base images bring: util-linux, Python, PostgreSQL."""


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = read_compose(SECRET)["services"]
    return found


def test_the_secrets_have_no_default() -> None:
    with pytest.raises(KeyError, match="choose a password"):
        read_compose({"SPARKLE_STATUS_TOKEN": "given"})
    with pytest.raises(KeyError, match="choose a token"):
        read_compose({"SPARKLE_POSTGRES_PASSWORD": "given"})


def test_no_secret_stands_in_it() -> None:
    text = (PROJECT / COMPOSE).read_text()
    assert all("${SPARKLE_POSTGRES_PASSWORD:?" in line for line in text.splitlines() if "PASSWORD:" in line)
    assert all("${SPARKLE_STATUS_TOKEN:?" in line for line in text.splitlines() if "TOKEN:" in line)


def test_there_is_exactly_one_daemon(services: dict[str, Any]) -> None:
    daemons = [name for name, service in services.items() if "dagster-daemon" in service.get("command", [])]
    assert daemons == ["daemon"]
    assert not {"deploy", "scale"} & services["daemon"].keys()
    command = services["daemon"]["command"]
    assert command[0] == "flock"
    assert "/state/dagster/.daemon.lock" in command, "the lock that `sparkle dev` holds too"


def test_only_pages_are_published_and_on_loopback(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    registry = ProviderRegistry.from_config(PROJECT / "configs/tool_registry.yaml", settings=load_settings(PROJECT))
    known = registry.settings.services
    assert known.status is not None
    expected = {"webserver": known.webserver, "status": known.status}
    assert published == {name: [f"{item.host}:{item.port}:{item.port}"] for name, item in expected.items()}
    assert option(services["webserver"]["command"], "-p") == str(known.webserver.port)
    assert option(services["status"]["command"], "--port") == str(known.status.port)
    assert option(services["status"]["command"], "--token") == "env:SPARKLE_STATUS_TOKEN"
    assert not any("network_mode" in item or "privileged" in item for item in services.values())


def test_the_code_location_is_served_where_the_workspace_looks(services: dict[str, Any]) -> None:
    (location,) = YAML(typ="safe", pure=True).load((PROJECT / "docker/workspace.yaml").read_text())["load_from"]
    (local,) = YAML(typ="safe", pure=True).load((PROJECT / "workspace.yaml").read_text())["load_from"]
    server, module = location["grpc_server"], local["python_module"]
    code = services[server["host"]]["command"]
    assert option(code, "-p") == str(server["port"])
    assert option(code, "-m") == module["module_name"]
    assert option(code, "--location-name") == server["location_name"] == module["location_name"]
    for name in ("webserver", "daemon"):
        assert option(services[name]["command"], "-w") == "docker/workspace.yaml"


def test_commands_and_health_checks_exist(services: dict[str, Any]) -> None:
    known = installed_commands() | OF_THE_BASE
    for name, service in services.items():
        commands = [service["command"]] if "command" in service else []
        checks = [service["healthcheck"]["test"][1:]] if "healthcheck" in service else []
        assert checks or name == "prepare"
        assert all(command[0] in known for command in commands + checks), name


def test_every_service_starts_again_and_waits_for_the_home(services: dict[str, Any]) -> None:
    assert {name for name, item in services.items() if item["restart"] != "unless-stopped"} == {"prepare"}
    waits = {name: set(item.get("depends_on", {})) for name, item in services.items()}
    assert waits == {
        "postgres": set(),
        "prepare": {"postgres"},
        "code": {"prepare"},
        "webserver": {"code"},
        "daemon": {"code"},
        "status": {"prepare"},
    }


def test_images_are_pinned_or_built_here(services: dict[str, Any]) -> None:
    for service in services.values():
        build = service.get("build")
        assert build or PINNED.fullmatch(service["image"]) or ":17.6" in service["image"]
        assert not build or build["dockerfile"] in IMAGES
    gpu = read_compose({}, "docker/compose.gpu.yaml")["services"]
    assert set(gpu) == {"code"}
    assert gpu["code"]["build"]["dockerfile"] in IMAGES


def test_what_is_mounted_exists(services: dict[str, Any]) -> None:
    named = read_compose(SECRET)["volumes"]
    (volumes,) = (item.words for item in read_dockerfile(IMAGES[0]) if item.keyword == "VOLUME")
    for service in services.values():
        for mount in service["volumes"]:
            source, target = mount.split(":")[:2]
            assert source in named or (PROJECT / "docker" / source).exists(), mount
            assert target in (*volumes, "/pgdata") or mount.endswith(":ro"), mount


def test_settings_for_postgres_differ_in_the_storage_alone(services: dict[str, Any]) -> None:
    load = YAML(typ="safe", pure=True).load
    plain = load((PROJECT / "configs/dagster.yaml").read_text())
    postgres = load((PROJECT / "configs/dagster-postgres.yaml").read_text())
    database = postgres.pop("storage")["postgres"]["postgres_db"]
    del plain["event_log_storage"]
    assert postgres == plain
    assert database.pop("scheme") == "postgresql+psycopg2"
    given = {item["env"] for item in database.values()}
    assert given <= set(services["code"]["environment"])


def option(command: list[str], flag: str) -> str:
    return command[command.index(flag) + 1]
