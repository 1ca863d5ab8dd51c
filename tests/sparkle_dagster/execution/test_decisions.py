"""A person's word, where nobody asked for it."""

import pytest

from contracts.errors import ConfigError
from sparkle_dagster.execution.decisions import rule
from tests.cheap import make_cheap_project
from tests.project import SOURCE
from tests.sparkle_dagster.execution.making import Maker

WORKFLOW = "configs/pipeline/workflow.yaml"


@pytest.mark.requirement("S53")
@pytest.mark.parametrize("workflow", ["workflow", "with-policy"])
def test_word_on_what_no_policy_decided_on_is_refused(
    workflow: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_cheap_project(tmp_path_factory.mktemp("decisions") / "project")
    (project.root / WORKFLOW).write_text((SOURCE / f"configs/pipeline/{workflow}.yaml").read_text())
    monkeypatch.syspath_prepend(project.root)
    monkeypatch.delenv("SPARKLE_HOME", raising=False)
    maker = Maker(project)
    production = maker.take_in()
    with pytest.raises(ConfigError, match="expected a production that a policy has decided on"):
        rule(maker.workspace, production, "approve", by="Ada", note="")
