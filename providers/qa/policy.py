"""A policy after the review: reads its report and a file of rules, and decides what becomes of the production.

Not here: carrying it out. A run that is wanted again, and a person's word, are the platform's.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, ValidationError, model_validator

from contracts.base import Contract, Fidelity, Model, readable
from contracts.errors import ProviderFailed
from contracts.production import Decisions, Regeneration, TaskRequest
from contracts.qa import Action, Decision, QAReviewRequest, QAReviewResult, Verdict
from contracts.tasks import ProviderOptions, QAReviewTask

NEVER_APPROVED = {Fidelity.PASSTHROUGH, Fidelity.STUB}
VERDICTS: dict[Action, Verdict] = {
    "approve": Verdict.APPROVE,
    "regenerate": Verdict.REVIEW,
    "escalate": Verdict.REVIEW,
    "reject": Verdict.REJECT,
}
CheckId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Again(Model):
    """One more run from a node: with the next provider of its list, a named one, or changed options."""

    node: str
    provider: str | None = Field(default=None, description="`next`, or a name; without it, the one that made it.")
    options: dict[str, Any] = Field(default_factory=dict, description="Changed for this run.")
    at_most: int = Field(default=1, ge=1, le=10, description="By this rule, of one production.")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.provider is None and not self.options:
            raise ValueError("expected a provider or options: the same again would come out the same")
        return self


class Rule(Model):
    """It fits where all that it says holds; one that says nothing always fits."""

    name: str = Field(min_length=1)
    verdict: tuple[Verdict, ...] = Field(default=(), description="Of the review, one of these.")
    failed: tuple[CheckId, ...] = Field(default=(), description="At least one of these checks failed.")
    warned: tuple[CheckId, ...] = Field(default=(), description="At least one of these checks warns.")
    then: Literal["approve", "escalate", "reject"] | None = None
    regenerate: Again | None = None

    @model_validator(mode="after")
    def _decides_one_thing(self) -> Self:
        if (self.then is None) == (self.regenerate is None):
            raise ValueError(f"rule {self.name!r}: expected either `then` or `regenerate`")
        return self

    def fits(self, review: QAReviewResult) -> bool:
        by_status = {
            status: {check.id for check in review.checks if check.status == status} for status in ("fail", "warn")
        }
        return (
            (not self.verdict or review.verdict in self.verdict)
            and (not self.failed or bool(by_status["fail"].intersection(self.failed)))
            and (not self.warned or bool(by_status["warn"].intersection(self.warned)))
        )


class Policy(Contract):
    """The file: the first rule that fits, and can be followed, decides; where none does, a person."""

    at_most: int = Field(default=2, ge=0, le=10, description="Runs again of one production, by all rules together.")
    rules: tuple[Rule, ...]


class PolicyProvider(QAReviewTask):
    """Rules over a review's report: approve, run again from a node, reject, or ask a person."""

    sees = frozenset({"decisions"})

    class Options(QAReviewTask.Options):
        model: str = Field(default="qa_policy", description="Name of the policy's file under `models`.")

    @classmethod
    def not_applicable(cls, options: ProviderOptions, request: TaskRequest) -> str | None:
        if cast(QAReviewRequest, request).review is None:
            return "it reads a review: bind one, such as  review: qa.qa_report"
        return None

    def run(self, request: QAReviewRequest) -> QAReviewResult:
        review = cast(QAReviewResult, request.review)
        options = cast(PolicyProvider.Options, self.options)
        decision = decide(read_policy((self.context.models or {})[options.model].path), review, request)
        return QAReviewResult(
            provider="policy",
            verdict=VERDICTS[decision.action],
            checks=review.checks,
            measured_mouth_curve=review.measured_mouth_curve,
            metrics=review.metrics,
            decision=decision,
            notes=(decision.reason,),
        )


def read_policy(path: Path) -> Policy:
    """Raises: ProviderFailed: it is not YAML, or says what no policy means."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return Policy.model_validate(YAML(typ="safe").load(path.read_text(encoding="utf-8")))
    except (YAMLError, ValidationError, OSError) as error:
        raise ProviderFailed(f"{path.name}: expected a policy, {readable(error)}") from error


def decide(policy: Policy, review: QAReviewResult, request: QAReviewRequest) -> Decision:
    """A person's word on this very video goes before every rule."""
    known, ruling = request.production.decisions, request.production.decisions.ruling

    def decision(action: Action, rule: str, reason: str, *more: Regeneration) -> Decision:
        trail = (*known.regenerations, *more)
        return Decision(
            action=action, rule=rule, reason=reason, upload=known.upload, regenerations=trail, ruling=ruling
        )

    if ruling is not None and ruling.of == request.video.digest:
        said = f": {ruling.note}" if ruling.note else ""
        return decision(ruling.verdict, "ruling", f"{ruling.by} said {ruling.verdict}{said}")
    for rule in policy.rules:
        if not rule.fits(review) or (rule.then == "approve" and request.input_fidelity in NEVER_APPROVED):
            continue
        if rule.then is not None:
            return decision(rule.then, rule.name, _reason(rule.name, rule.then))
        again = _again(policy, rule, known)
        if again is not None:
            changed = "".join(f", {name} = {value}" for name, value in again.options.items())
            count = f"{len(known.regenerations) + 1} of at most {policy.at_most}"
            reason = f"{rule.name}: {again.node} is made again by {again.provider}{changed} ({count})"
            return decision("regenerate", rule.name, reason, again)
    return decision("escalate", "", _reason("no rule decides it", "escalate"))


def _again(policy: Policy, rule: Rule, known: Decisions) -> Regeneration | None:
    """None where the rule has had its runs, or nobody is left to make it."""
    again = cast(Again, rule.regenerate)
    mine = [item for item in known.regenerations if item.rule == rule.name]
    if len(known.regenerations) >= policy.at_most or len(mine) >= again.at_most:
        return None
    listed = known.providers.get(again.node, ())
    made_by = [*listed[:1], *(item.provider for item in known.regenerations if item.node == again.node)]
    last = made_by[-1] if made_by else ""
    name = again.provider or last
    if again.provider == "next":
        name = next(iter(listed[listed.index(last) + 1 :]), "") if last in listed else ""
    return Regeneration(node=again.node, provider=name, options=again.options, rule=rule.name) if name else None


def _reason(why: str, action: str) -> str:
    if action == "escalate":
        return f"{why}: a person decides, by `sparkle approve PRODUCTION` or `sparkle reject PRODUCTION`"
    return f"{why}: {action}"
