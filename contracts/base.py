"""What every contract shares: frozen, closed, versioned, and readable for ever.

A stored document carries ``schema_version``. An older one is lifted by *upgrade functions*, one step each
(``dict -> dict``), before it is validated; a newer one is refused. Raising a version means: bump ``VERSION`` on the
class, register one step with ``@upgrades(TheContract, from_version)``, and keep a sample of the new version.
"""

import hashlib
import json
from collections.abc import Callable
from enum import StrEnum
from typing import Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.errors import ContractViolation

Document = dict[str, Any]
UpgradeStep = Callable[[Document], Document]

_STEPS: dict[tuple[str, int], UpgradeStep] = {}


class Model(BaseModel):
    """A value inside a contract: frozen and closed, versioned by the contract that holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Contract(Model):
    """A document that crosses a boundary or is stored on its own."""

    VERSION: ClassVar[int] = 1

    schema_version: int = Field(default=0, description="Version of this contract's shape.")

    @model_validator(mode="before")
    @classmethod
    def _upgrade_document(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        document = cast(Document, data)
        found = document.get("schema_version", cls.VERSION)
        if not isinstance(found, int) or isinstance(found, bool) or found < 1:
            raise ValueError(f"{cls.__name__}: expected schema_version 1..{cls.VERSION}, got {found!r}")
        if found > cls.VERSION:
            raise ValueError(
                f"{cls.__name__}: expected schema_version up to {cls.VERSION}, got {found}; "
                "it was written by a newer Sparkle: upgrade this installation to read it"
            )
        document = dict(document)
        for version in range(found, cls.VERSION):
            step = _STEPS.get((cls.__name__, version))
            if step is None:
                raise ValueError(f"{cls.__name__}: no upgrade step from schema_version {version} to {version + 1}")
            document = step(document)
        return {**document, "schema_version": cls.VERSION}

    @classmethod
    def parse(cls, document: object) -> Self:
        """Validate a document of any known version.

        Raises:
            ContractViolation: one line per wrong field.
        """
        try:
            return cls.model_validate(document)
        except ValueError as error:
            raise ContractViolation(f"{cls.__name__}: {readable(error)}") from error

    @classmethod
    def parse_json(cls, text: str | bytes) -> Self:
        """As ``parse``, from JSON text."""
        try:
            document: object = json.loads(text)
        except ValueError as error:
            raise ContractViolation(f"{cls.__name__}: expected JSON, got text that is not ({error})") from error
        return cls.parse(document)


def upgrades(contract: type[Contract], from_version: int) -> Callable[[UpgradeStep], UpgradeStep]:
    """Register the step from ``from_version`` to the next one of ``contract``."""

    def register(step: UpgradeStep) -> UpgradeStep:
        key = (contract.__name__, from_version)
        if key in _STEPS:
            raise ValueError(f"{key[0]}: a step from schema_version {from_version} is already registered")
        _STEPS[key] = step
        return step

    return register


class Fidelity(StrEnum):
    """What a result honestly is, best first. Inherited by all that is made from it."""

    REAL = "real"
    DEGRADED = "degraded"
    PASSTHROUGH = "passthrough"
    STUB = "stub"


def least(*fidelities: Fidelity) -> Fidelity:
    """The least honest of several; ``REAL`` of none."""
    order = list(Fidelity)
    return max(fidelities, key=order.index, default=Fidelity.REAL)


def canonical_json(value: object) -> bytes:
    """One byte string per value: sorted keys, no spaces, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_of(value: object) -> str:
    """SHA-256 of the canonical JSON of ``value``, 64 hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def readable(error: Exception) -> str:
    """A validation error as ``field.path: what is wrong (got value)``, joined by ``; ``."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    parts: list[str] = []
    for item in error.errors(include_url=False):
        place = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        given = repr(item["input"])
        shown = given if len(given) <= 80 else given[:77] + "..."
        tail = "" if item["type"] in {"missing", "value_error"} else f" (got {shown})"
        parts.append(f"{place + ': ' if place else ''}{message}{tail}")
    return "; ".join(parts)
