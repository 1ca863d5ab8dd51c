"""What a run in shadow found beside the one that delivers."""

from typing import Literal

from pydantic import Field

from contracts.artifacts import ArtifactRef
from contracts.base import Contract, Fidelity, Model
from contracts.qa import QACheck


class ComparedSide(Model):
    """What one of the two made of the same production."""

    providers: dict[str, str] = Field(default_factory=dict, description="Node id -> provider that made its result.")
    latency_ms: int | None = Field(
        default=None, description="Of the nodes that are compared; None where one of them was found stored."
    )
    failed_attempts: int = Field(default=0, ge=0, description="Of the nodes that are compared.")
    fidelity: Fidelity | None = None
    verdict: str = Field(default="", description="Of the last review; empty where there is none.")
    checks: tuple[QACheck, ...] = Field(default=(), description="Of the last review, without evidence.")
    delivered: dict[str, ArtifactRef] = Field(default_factory=dict, description="<asset>.<field> -> artifact.")


class ShadowComparison(Contract):
    """One production, made by what delivers and by what runs in shadow."""

    shadow: str = Field(description="<node>.<provider>, or workflow.<name> of a whole second definition.")
    production: str
    of: str = Field(description="Digest of what was compared: while it is the same there is nothing to do again.")
    ended: Literal["compared", "failed", "not_applicable"]
    error: str = Field(default="", description="<node>: <class>: <message> of a shadow that failed.")
    primary: ComparedSide
    candidate: ComparedSide
