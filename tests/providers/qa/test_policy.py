"""Rules over a report: the first that fits and can be followed decides."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from contracts.artifacts import ArtifactRef
from contracts.base import Fidelity
from contracts.context import ModelFile
from contracts.errors import ProviderFailed
from contracts.production import Decisions, ProductionSpec, Regeneration, Ruling
from contracts.qa import Decision, QACheck, QAReviewRequest, QAReviewResult, Verdict
from contracts.tasks import Task
from providers.qa.policy import PolicyProvider, decide, read_policy
from sparkle_dagster.conformance.pytest_cases import ProviderCases
from tests.project import SOURCE

SHIPPED = SOURCE / "configs/qa/policy.yaml"
DIGEST = "0123456789abcdef" * 4
VIDEO = ArtifactRef(path=f"cas/sha256/01/{DIGEST}", checksum=f"sha256:{DIGEST}", size_bytes=1, media_type="video/mp4")
PROVIDERS = {"lipsync": ("wav2lip", "mouth_warp")}


class TestPolicy(ProviderCases):
    provider: type[Task] = PolicyProvider

    @pytest.fixture
    def models(self) -> Mapping[str, ModelFile]:
        return {"qa_policy": ModelFile(SHIPPED, None, "")}

    @pytest.fixture
    def bad_requests(self) -> Mapping[str, QAReviewRequest]:
        return {}


def decided(review: QAReviewResult, fidelity: Fidelity = Fidelity.REAL, **known: Any) -> Decision:
    decisions = Decisions(upload="u", providers=PROVIDERS, **known)
    production = ProductionSpec(decisions=decisions)
    request = QAReviewRequest(
        video=VIDEO, audio_track=VIDEO, review=review, production=production, input_fidelity=fidelity
    )
    return decide(read_policy(SHIPPED), review, request)


def reviewed(verdict: Verdict, *failed: str) -> QAReviewResult:
    checks = tuple(QACheck(id=name, title=name, status="fail", value=0.1) for name in failed)
    return QAReviewResult(verdict=verdict, checks=checks)


def again(provider: str, rule: str = "the mouth does not follow the voice") -> Regeneration:
    return Regeneration(node="lipsync", provider=provider, rule=rule)


@pytest.mark.requirement("S53")
@pytest.mark.parametrize(
    ("review", "known", "action"),
    [
        (reviewed(Verdict.APPROVE), {}, "approve"),
        (reviewed(Verdict.REVIEW), {}, "escalate"),
        (reviewed(Verdict.REJECT, "clipping"), {}, "escalate"),
        (reviewed(Verdict.REJECT, "clipping", "lip_lag"), {}, "regenerate"),
        (reviewed(Verdict.REJECT, "lip_lag"), {"regenerations": (again("mouth_warp"),)}, "escalate"),
    ],
)
def test_first_rule_that_fits_and_can_be_followed(review: QAReviewResult, known: dict[str, Any], action: str) -> None:
    assert decided(review, **known).action == action


def test_next_provider_is_named_and_the_trail_is_kept() -> None:
    found = decided(reviewed(Verdict.REJECT, "lip_lag"))
    assert found.regenerations == (again("mouth_warp"),)
    assert found.reason == "the mouth does not follow the voice: lipsync is made again by mouth_warp (1 of at most 2)"


def test_nothing_unreal_is_approved_by_a_rule() -> None:
    assert decided(reviewed(Verdict.APPROVE), fidelity=Fidelity.PASSTHROUGH).action == "escalate"


def test_persons_word_counts_for_the_video_it_is_about() -> None:
    word = Ruling(verdict="reject", of=DIGEST, by="Ada", at="2026-01-01T00:00:00+00:00")
    assert decided(reviewed(Verdict.APPROVE), ruling=word).action == "reject"
    other = word.model_copy(update={"of": "f" * 64})
    assert decided(reviewed(Verdict.APPROVE), ruling=other).action == "approve"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [{name: a}]", "expected either `then` or `regenerate`"),
        ("rules: [{name: a, regenerate: {node: lipsync}}]", "expected a provider or options"),
        ("rules: [{name: a, then: aprove}]", "aprove"),
        ("rules: [", "expected a policy"),
    ],
)
def test_wrong_policy_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(ProviderFailed, match=said):
        read_policy(path)
