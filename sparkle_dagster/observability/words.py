"""Measured values as people read them: in the UI, on the page, in tables."""

from collections.abc import Iterable

from contracts.artifacts import Span
from contracts.qa import QACheck


def value_in_words(check: QACheck) -> str:
    """Such as ``-16.3 LUFS``; empty where nothing was measured."""
    if check.value is None:
        return ""
    value = f"{check.value:.3g}" if isinstance(check.value, float) else check.value
    return f"{value} {check.unit}".strip()


def limits_in_words(check: QACheck) -> str:
    """Such as ``warn below 0.7, fail below 0.5``."""
    bounds = check.limits.model_dump(exclude_none=True).items()
    return ", ".join(f"{name.replace('_', ' ')} {bound:g}" for name, bound in bounds)


def spans_in_words(spans: Iterable[Span]) -> str:
    """Such as ``1.20-2.40 s, 3.00-3.10 s``."""
    return ", ".join(f"{span.start_seconds:.2f}-{span.end_seconds_exclusive:.2f} s" for span in spans)
