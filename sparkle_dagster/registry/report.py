"""What ``sparkle providers`` shows: which providers are selected, and why not the others."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from sparkle_dagster.registry.candidates import ProviderCandidate
from sparkle_dagster.registry.layers import Origin


@dataclass(frozen=True)
class ProviderReport:
    """One provider; ``reason`` says why it would not run, with the command that mends it."""

    name: str
    target: str
    state: Literal["selected", "next", "unavailable", "disabled", "not_listed"]
    reason: str
    version: str
    lane: str
    package: str
    licence: str
    """Of its checkpoint where it names one, else of its package."""


@dataclass(frozen=True)
class CapabilityReport:
    """One capability; ``selected`` is None where no listed provider can run."""

    capability: str
    enabled: bool
    selected: str | None
    providers: tuple[ProviderReport, ...]
    origin: Origin


def report_capability(
    capability: str,
    listed: list[ProviderCandidate],
    others: list[ProviderCandidate],
    licences: dict[str, str],
    no_op: ProviderCandidate | None,
    origin: Origin,
    unavailable: Callable[[ProviderCandidate], str | None],
    shadow: Collection[str] = (),
) -> CapabilityReport:
    """Ask every provider whether it can run now, where it would.

    Args:
        licences: by provider name, where the checkpoint's licence counts.
        no_op: given where the capability is turned off.
        shadow: names that run beside and are compared.
    """
    reports: list[ProviderReport] = []
    selected: str | None = None
    for candidate in listed:
        reason = unavailable(candidate)
        if no_op is not None:
            state, reason = "disabled", f"{capability} is turned off ({origin.file}:{origin.line})"
        elif reason is not None:
            state = "unavailable"
        else:
            state = "next" if selected else "selected"
            selected = selected or candidate.name
        reports.append(_reported(candidate, state, reason or "", licences))
    for candidate in others:
        is_no_op = no_op is not None and candidate.name == no_op.name
        selected = candidate.name if is_no_op else selected
        state = "selected" if is_no_op else "not_listed"
        beside = "runs in shadow" if candidate.name in shadow else ""
        reports.append(_reported(candidate, state, unavailable(candidate) or beside, licences))
    return CapabilityReport(capability, no_op is None, selected, tuple(reports), origin)


def _reported(
    candidate: ProviderCandidate,
    state: Literal["selected", "next", "unavailable", "disabled", "not_listed"],
    reason: str,
    licences: dict[str, str],
) -> ProviderReport:
    return ProviderReport(
        name=candidate.name,
        target=candidate.target,
        state=state,
        reason=reason,
        version=candidate.version,
        lane=candidate.provider.lane if candidate.provider else "",
        package=candidate.package,
        licence=licences.get(candidate.name) or candidate.licence,
    )
