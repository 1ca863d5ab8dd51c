"""Files to configuration: every value has an origin, every mistake is one line with file and line."""

import re
from pathlib import Path

import pytest

from contracts.errors import ConfigError
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from tests.project import make_project
from tests.sparkle_dagster.registry.conftest import MakeRegistry, WriteProject

REGISTRY = "configs/tool_registry.yaml"


def refused(project: Path, said: str, *, at: str, file: str = REGISTRY) -> None:
    """Loading fails with one line that says so and points at the line of the file that holds ``at``."""
    with pytest.raises(ConfigError) as caught:
        ProviderRegistry.from_config(project / REGISTRY)
    error = caught.value
    assert "\n" not in str(error)
    assert re.search(said, str(error)), str(error)
    assert error.file is not None
    assert error.file.endswith(file)
    assert error.line is not None
    assert at in (project / file).read_text().splitlines()[error.line - 1]


def overlay(project: Path, text: str, name: str = "main") -> None:
    (project / "configs/workspaces").mkdir(exist_ok=True)
    (project / f"configs/workspaces/{name}.yaml").write_text(text)


def test_platform_settings_have_absolute_paths_and_selectors_replaced(
    make_registry: MakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKLE_HOME", "state")
    registry = make_registry()
    project = registry.project_settings.project
    assert registry.settings.store.root == str(project / "state/store")
    assert registry.settings.uploads.inbox == str(project / "state/uploads")
    assert registry.settings.presenter == str(project / "face.png")
    assert registry.store().root == project / "state/store"


def test_profile_carries_the_limits_of_its_file(make_registry: MakeRegistry) -> None:
    profile = make_registry().profiles["web"]
    assert (profile.name, profile.crf, profile.limits["silence"].fail_above) == ("web", 21, 0.5)


def test_json_gives_the_same_configuration(make_registry: MakeRegistry) -> None:
    import json

    registry = make_registry("it: {use: HandsOn}", lipsync="{providers: [it]}")
    project = registry.project_settings.project
    (project / "configs/registry.json").write_text(json.dumps(registry.config.document.data))
    again = ProviderRegistry.from_config(project / "configs/registry.json")
    assert again.config.registry == registry.config.registry


@pytest.mark.requirement("S3", "S48")
def test_overlay_replaces_values_and_every_value_knows_its_origin(write_project: WriteProject) -> None:
    project = write_project("it: {use: HandsOn, note: base}", lipsync="{providers: [it]}")
    overlay(project, "lipsync:\n  enabled: false\nproviders:\n  lipsync:\n    it:\n      note: from the overlay\n")
    registry = ProviderRegistry.from_config(project / REGISTRY)
    assert not registry.is_enabled("lipsync")
    assert registry.candidates("lipsync", enabled=True)[0].options.model_dump()["note"] == "from the overlay"
    enabled = registry.explain("lipsync.enabled")
    assert (Path(enabled.file).name, enabled.line) == ("main.yaml", 2)
    note = registry.explain("providers.lipsync.it.note")
    assert (Path(note.file).name, note.line) == ("main.yaml", 6)
    listed = registry.explain(("lipsync", "providers", 0))
    assert Path(listed.file).name == "tool_registry.yaml"


@pytest.mark.requirement("S61")
def test_overlay_of_another_workspace_does_not_count(
    write_project: WriteProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write_project()
    overlay(project, "lipsync: {enabled: false}\n", "studio-2")
    assert ProviderRegistry.from_config(project / REGISTRY).is_enabled("lipsync")
    monkeypatch.setenv("SPARKLE_WORKSPACE", "studio-2")
    registry = ProviderRegistry.from_config(project / REGISTRY)
    assert not registry.is_enabled("lipsync")
    assert registry.store().workspace == "studio-2"


def test_list_of_an_overlay_replaces_the_list(write_project: WriteProject) -> None:
    project = write_project("a: {use: HandsOn}\nb: {use: HandsOn}", lipsync="{providers: [a, b]}")
    overlay(project, "lipsync: {providers: [b]}\n")
    assert [found.name for found in ProviderRegistry.from_config(project / REGISTRY).candidates("lipsync")] == ["b"]


def test_error_in_an_overlay_points_into_it(write_project: WriteProject) -> None:
    project = write_project()
    overlay(project, "schema_version: 1\n\nlipsync: {enabld: false}\n")
    refused(project, "unknown key 'lipsync.enabld'", at="enabld", file="configs/workspaces/main.yaml")


@pytest.mark.requirement("S48")
def test_wrong_option_is_one_line_with_the_known_ones(write_project: WriteProject) -> None:
    project = write_project("it: {use: HandsOn, fidelty: real}", lipsync="{providers: [it]}")
    said = r"unknown key 'providers.lipsync.it.fidelty'; known: fidelity, note; did you mean fidelity\?"
    refused(project, said, at="fidelty")


def test_wrong_value_of_an_option_says_what_was_expected(write_project: WriteProject) -> None:
    project = write_project("it: {use: HandsOn, fidelity: superb}", lipsync="{providers: [it]}")
    refused(project, "providers.lipsync.it.fidelity: .*'real'.*got 'superb'", at="superb")


def test_missing_option_points_at_the_providers_entry(write_project: WriteProject) -> None:
    project = write_project("it: {use: Raises}", lipsync="{providers: [it]}")
    refused(project, "expected the key 'providers.lipsync.it.how', found none", at="it: {use")


def test_options_of_a_provider_that_is_not_selected_are_checked_too(write_project: WriteProject) -> None:
    project = write_project("it: {use: HandsOn, nonsense: 1}")
    refused(project, "unknown key 'providers.lipsync.it.nonsense'", at="nonsense")


def test_unknown_provider_lists_the_known_ones(write_project: WriteProject) -> None:
    project = write_project("it: {use: HandsOn}", lipsync="{providers: [itt]}")
    refused(
        project, r"unknown provider 'itt' of lipsync; known: it, mouth_warp, noop, wav2lip; did you mean it\?", at="itt"
    )


def test_options_for_an_unknown_provider_are_refused(write_project: WriteProject) -> None:
    refused(write_project("mouth_wrap: {lead_ms: 3}"), r"did you mean mouth_warp\?", at="mouth_wrap")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{use: Nobody}", "expected a class Nobody in .*small_providers, found none"),
        ("{use: OtherTrade}", "OtherTrade to be a subclass of LipSyncTask, got a subclass of VideoAssemblyTask"),
        ("{use: WithoutRun}", r"to have a method run\(request\), found none"),
        ("{use : 'no.such.module:It'}", "expected the module no.such.module, found none"),
        ("{use : nonsense}", "expected module:Class, got 'nonsense'"),
        ("{use : 3}", "expected use: module:Class, got 3"),
    ],
)
def test_class_that_is_no_provider_of_the_capability_is_refused(
    write_project: WriteProject, entry: str, said: str
) -> None:
    refused(write_project(f"it: {entry}", lipsync="{providers: [it]}"), said, at="it: {use")


def test_unknown_capability_and_section_are_refused(write_project: WriteProject) -> None:
    project = write_project(more="lypsinc: {providers: [noop]}\n")
    refused(project, r"'lypsinc' is neither a section nor a capability .*did you mean lipsync\?", at="lypsinc")


@pytest.mark.parametrize(
    ("shadow", "problem"),
    [
        ("[nobody]", "unknown provider 'nobody' of lipsync"),
        ("[noop]", "expected another provider in shadow, got 'noop', which makes nothing"),
        ("[wav2lip, wav2lip]", "lipsync: 'wav2lip' is in shadow twice"),
        ("[mouth_warp]", "got 'mouth_warp', which is the first of providers: it would be compared with itself"),
    ],
)
def test_shadow_is_checked_when_the_registry_loads(write_project: WriteProject, shadow: str, problem: str) -> None:
    project = write_project(lipsync=f"{{providers: [mouth_warp], shadow: {shadow}}}")
    refused(project, problem, at="shadow")


def test_unknown_key_of_the_platform_names_the_known_ones(write_project: WriteProject) -> None:
    project = write_project()
    path = project / REGISTRY
    path.write_text(path.read_text().replace("host: localhost", "hots: localhost"))
    refused(
        project, r"unknown key 'settings.services.webserver.hots'; known: host, port; did you mean host\?", at="hots"
    )


def test_wrong_number_says_the_limit_and_what_came(write_project: WriteProject) -> None:
    project = write_project()
    path = project / REGISTRY
    path.write_text(path.read_text().replace("port: 0", "port: 70000"))
    refused(project, "settings.services.webserver.port: .*65535, got 70000", at="70000")


def test_name_that_is_no_selector_is_refused(write_project: WriteProject) -> None:
    project = write_project("it: {use: HandsOn, note: 'made by ${USER}'}")
    refused(project, r"unknown \$\{USER\}; known: \$\{SPARKLE_EXECUTOR\}", at="${USER}")


def test_replacement_happens_once(write_project: WriteProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKLE_EXECUTOR", "${SPARKLE_MODELS}")
    project = write_project("it: {use: HandsOn, note: '${SPARKLE_EXECUTOR}'}", lipsync="{providers: [it]}")
    candidate = ProviderRegistry.from_config(project / REGISTRY).candidates("lipsync")[0]
    assert candidate.options.model_dump()["note"] == "${SPARKLE_MODELS}"


def test_secret_stays_a_reference(write_project: WriteProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICE_KEY", "canary")
    project = write_project("it: {use: NeedsASecret, secret: 'env:VOICE_KEY'}", lipsync="{providers: [it]}")
    registry = ProviderRegistry.from_config(project / REGISTRY)
    assert registry.candidates("lipsync")[0].options.model_dump()["secret"] == "env:VOICE_KEY"
    assert "canary" not in repr(registry.config)


@pytest.mark.requirement("S48")
def test_secret_that_is_written_out_is_refused_and_not_repeated(write_project: WriteProject) -> None:
    project = write_project("it: {use: NeedsASecret, secret: hunter2}", lipsync="{providers: [it]}")
    with pytest.raises(ConfigError, match="expected a reference such as env:") as caught:
        ProviderRegistry.from_config(project / REGISTRY)
    assert "hunter2" not in str(caught.value)


def test_inspection_cannot_be_disabled(write_project: WriteProject) -> None:
    project = write_project()
    path = project / REGISTRY
    path.write_text(path.read_text().replace("media: {providers", "media: {enabled: false, providers"))
    refused(project, "media cannot be disabled", at="media: {enabled")


def test_registry_without_inspection_is_refused(write_project: WriteProject) -> None:
    project = write_project()
    path = project / REGISTRY
    path.write_text(path.read_text().replace("media: {providers: [wave]}\n", ""))
    with pytest.raises(ConfigError, match="expected a section 'media'"):
        ProviderRegistry.from_config(path)


def test_provider_listed_twice_is_refused(write_project: WriteProject) -> None:
    refused(write_project(lipsync="{providers: [noop, noop]}"), "'noop' is listed twice", at="[noop, noop]")


def test_profile_without_its_file_of_limits_is_refused(write_project: WriteProject) -> None:
    project = write_project()
    (project / "configs/qa/web.yaml").unlink()
    refused(project, "expected a file with limits, found none at configs/qa/web.yaml", at="qa: configs")


def test_wrong_limits_point_into_their_file(write_project: WriteProject) -> None:
    project = write_project()
    (project / "configs/qa/web.yaml").write_text("checks:\n  silence: {fail_abov: 0.5}\n")
    refused(project, "unknown key 'checks.silence.fail_abov'", at="fail_abov", file="configs/qa/web.yaml")


def test_a_limit_for_a_check_that_no_reviewer_makes_is_refused(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    project.edit("configs/qa/web.yaml", "frozen_face:", "frozen_fase:")
    with pytest.raises(ConfigError, match=r"configs/qa/web\.yaml:\d+: unknown check 'frozen_fase'") as refusal:
        ProviderRegistry.from_config(project.root / "configs/tool_registry.yaml")
    assert "did you mean frozen_face?" in str(refusal.value)


def test_limits_are_anybodys_where_a_reviewer_does_not_say_its_checks(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    project.edit("configs/qa/web.yaml", "frozen_face:", "frozen_fase:")
    project.edit(
        "configs/tool_registry.yaml", "qa: {enabled: true, providers: [signal]}", "qa: {providers: [signal, noop]}"
    )
    assert ProviderRegistry.from_config(project.root / "configs/tool_registry.yaml").profiles


def test_newer_schema_is_refused(write_project: WriteProject) -> None:
    project = write_project()
    path = project / REGISTRY
    path.write_text(path.read_text().replace("schema_version: 1", "schema_version: 9"))
    with pytest.raises(ConfigError, match="expected schema_version up to 1, got 9"):
        ProviderRegistry.from_config(path)


def test_configured_is_what_the_file_says_whatever_the_machine(
    write_project: WriteProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write_project("it: {use: HandsOn, note: '${SPARKLE_HOME}'}", lipsync="{providers: [it, noop]}")
    first = ProviderRegistry.from_config(project / REGISTRY).configured("lipsync")
    monkeypatch.setenv("SPARKLE_HOME", "elsewhere")
    assert ProviderRegistry.from_config(project / REGISTRY).configured("lipsync") == first
    assert [entry["provider"] for entry in first] == ["it", "noop"]
    assert first[0]["options"]["note"] == "${SPARKLE_HOME}"
