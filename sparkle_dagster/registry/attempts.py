"""Candidates in order, attempts of each, and the trace of it all. Not here: how an attempt is run.

=================================  ===============================================
an attempt ends with               what follows
=================================  ===============================================
a result of enough fidelity        done
a result below ``min_fidelity``    next candidate
ProviderUnavailable, NotApplicable next candidate, no alarm
ProviderRejected, ArtifactError    stop: no other provider can mend it
any other error                    the same again up to ``retries.max``, then next
=================================  ===============================================
"""

import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.base import Fidelity, least
from contracts.errors import (
    ArtifactError,
    NotApplicable,
    ProviderFailed,
    ProviderRejected,
    ProviderUnavailable,
    SparkleError,
)
from contracts.events import Attempt, Candidate, Placement, Usage
from contracts.production import TaskRequest, TaskResult
from contracts.workflow import RetrySpec
from sparkle_dagster.registry.candidates import ProviderCandidate
from sparkle_dagster.registry.supervised_tree import AttemptStopped

Inspections = dict[str, dict[str, Any]]
RunAttempt = Callable[[ProviderCandidate], "Ran"]


@dataclass(frozen=True)
class Stored:
    """A result that was made before from the same things."""

    result: TaskResult
    inspections: Inspections
    origin: str
    """Where it was found, as a person may look it up."""


Lookup = Callable[[ProviderCandidate], Stored | None]

_LONGEST_DELAY_SECONDS = 3600.0
_dice = random.SystemRandom()


@dataclass(frozen=True)
class Ran:
    """An attempt that gave a result."""

    result: TaskResult
    inspections: Inspections
    usage: Usage
    placement: Placement | None = None


@dataclass(frozen=True)
class Outcome:
    """A result and how it came to be."""

    result: TaskResult
    provider: str
    provider_version: str
    trace: tuple[Candidate, ...]
    attempts: tuple[Attempt, ...]
    inspections: Inspections = field(default_factory=Inspections)
    """Digest of a file that was made -> its InspectionResult as a document."""
    stored_as: str = ""
    """Where the result was found stored; empty when it was made."""


@dataclass(frozen=True)
class AttemptPolicy:
    """How hard to try. ``disabled`` are the configured names when only the no-op is to run."""

    retries: RetrySpec = field(default_factory=RetrySpec)
    min_fidelity: Fidelity = Fidelity.STUB
    disabled: tuple[str, ...] = ()


def run_candidates(
    capability: str,
    candidates: Sequence[ProviderCandidate],
    request: TaskRequest,
    run: RunAttempt,
    policy: AttemptPolicy,
    *,
    on_attempt: Callable[[Attempt], None] | None = None,
    stop: threading.Event | None = None,
    lookup: Lookup | None = None,
    unavailable: Callable[[ProviderCandidate], str | None] = lambda candidate: candidate.unavailable,
) -> Outcome:
    """Try the candidates in order until one gives a result.

    Args:
        unavailable: why a candidate cannot run where it would; None when it can.

    Raises:
        SparkleError: the last candidate's error, or ProviderUnavailable where none could be tried; with the attributes
            ``trace`` and ``attempts``.
        AttemptStopped: ``stop`` was set.
    """
    stopping = stop or threading.Event()
    return _Resolution(
        capability, candidates, request, run, policy, on_attempt, stopping, unavailable, lookup
    ).outcome()


def delay_seconds(retries: RetrySpec, retry_number: int) -> float:
    """Pause before a retry; 1 is the first."""
    factor = {"constant": 1, "linear": retry_number, "exponential": 2 ** (retry_number - 1)}[retries.backoff]
    delay = min(retries.delay_s * factor, _LONGEST_DELAY_SECONDS)
    return delay * _dice.uniform(0.5, 1.0) if retries.jitter else delay


@dataclass
class _Resolution:
    """One walk down the list."""

    capability: str
    candidates: Sequence[ProviderCandidate]
    request: TaskRequest
    run: RunAttempt
    policy: AttemptPolicy
    on_attempt: Callable[[Attempt], None] | None
    stop: threading.Event
    unavailable: Callable[[ProviderCandidate], str | None]
    lookup: Lookup | None = None
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    passed: dict[str, Candidate] = field(default_factory=dict[str, Candidate])

    def outcome(self) -> Outcome:
        last_error: SparkleError | None = None
        try:
            self._check_inputs()
            for candidate in self.candidates:
                reason = self.unavailable(candidate)
                if reason is not None:
                    self._pass(candidate, "unavailable", reason)
                    continue
                reason = candidate.not_applicable(self.request)
                if reason is not None:
                    self._pass(candidate, "not_applicable", reason)
                    continue
                try:
                    return self._tried(candidate)
                except NotApplicable as error:
                    self._pass(candidate, "not_applicable", str(error))
                except ProviderUnavailable as error:
                    self._pass(candidate, "unavailable", str(error))
                except (ProviderRejected, ArtifactError) as error:
                    self._pass(candidate, "failed", str(error))
                    raise
                except SparkleError as error:
                    self._pass(candidate, "failed", str(error))
                    last_error = error
            raise last_error or self._nobody()
        except SparkleError as error:
            vars(error).update(trace=self._trace(), attempts=tuple(self.attempts))
            raise

    def _tried(self, candidate: ProviderCandidate) -> Outcome:
        stored = self.lookup(candidate) if self.lookup is not None else None
        ran = stored or self._retried(candidate)
        if least(ran.result.fidelity, self.policy.min_fidelity) is not self.policy.min_fidelity:
            raise ProviderFailed(
                f"{candidate.full_name}: expected a result that is at least {self.policy.min_fidelity} "
                f"(min_fidelity of {self.capability}), got one that is {ran.result.fidelity}"
            )
        origin = stored.origin if stored else ""
        self._pass(candidate, "selected", "")
        facts = (candidate.name, candidate.version, self._trace(), tuple(self.attempts), ran.inspections)
        return Outcome(ran.result, *facts, origin)

    def _retried(self, candidate: ProviderCandidate) -> Ran:
        for number in itertools.count(1):
            if number > 1 and self.stop.wait(delay_seconds(self.policy.retries, number - 1)):
                raise AttemptStopped
            started = time.monotonic()
            try:
                ran = self.run(candidate)
            except SparkleError as error:
                found = (getattr(error, "usage", Usage()), getattr(error, "placement", None))
                self._record(candidate, number, started, error, *found)
                if number > self.policy.retries.max or not _is_worth_a_retry(error):
                    raise
            else:
                self._record(candidate, number, started, None, ran.usage, ran.placement)
                return ran
        raise AssertionError  # counting does not end

    def _record(
        self,
        candidate: ProviderCandidate,
        number: int,
        started: float,
        error: SparkleError | None,
        usage: Usage,
        placement: Placement | None,
    ) -> None:
        attempt = Attempt(
            provider=candidate.name,
            number=number,
            error=type(error).__name__ if error else "",
            message=str(error) if error else "",
            latency_ms=round((time.monotonic() - started) * 1000),
            usage=usage,
            placement=placement,
        )
        self.attempts.append(attempt)
        if self.on_attempt is not None:
            self.on_attempt(attempt)

    def _pass(self, candidate: ProviderCandidate, outcome: str, reason: str) -> None:
        self.passed[candidate.name] = Candidate(provider=candidate.name, outcome=outcome, reason=reason)

    def _trace(self) -> tuple[Candidate, ...]:
        disabled = [
            Candidate(provider=name, outcome="disabled", reason=f"{self.capability} is turned off")
            for name in self.policy.disabled
        ]
        walked = [
            self.passed.get(candidate.name, Candidate(provider=candidate.name, outcome="not_reached"))
            for candidate in self.candidates
        ]
        return (*disabled, *walked)

    def _check_inputs(self) -> None:
        wanted, found = self.policy.min_fidelity, self.request.input_fidelity
        if least(found, wanted) is not wanted:
            raise ProviderRejected(
                f"{self.capability}: expected inputs that are at least {wanted} (min_fidelity), got {found}; "
                "no provider can mend that: see the stages before this one"
            )

    def _nobody(self) -> ProviderUnavailable:
        reasons = "; ".join(f"{name}: {passed.reason}" for name, passed in self.passed.items())
        return ProviderUnavailable(f"no provider of {self.capability} can do this here: {reasons}")


def _is_worth_a_retry(error: SparkleError) -> bool:
    return not isinstance(error, ProviderUnavailable | NotApplicable | ProviderRejected | ArtifactError)
