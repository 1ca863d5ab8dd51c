"""What every request and every result carries: which production, for which delivery, how honest."""

from collections.abc import Collection
from typing import Any, Literal, Self

from pydantic import Field, JsonValue

from contracts.base import Contract, Fidelity, Model


class CheckLimits(Model):
    """Limits of one quality check: outside ``warn_*`` is a warning, outside ``fail_*`` a failure."""

    warn_below: float | None = None
    warn_above: float | None = None
    fail_below: float | None = None
    fail_above: float | None = None


class DeliveryProfile(Model):
    """What is delivered; an upload or a run picks one of the tool registry's ``profiles``."""

    name: str = "web"
    codec: str = Field(default="libx264", description="FFmpeg name of the video encoder.")
    preset: str = "veryfast"
    crf: int = Field(default=20, ge=0, le=63)
    max_long_side: int = Field(default=1280, ge=16, description="Pixels; larger pictures are scaled down.")
    fps: float = Field(default=25.0, gt=0, le=120, description="Frame rate of a video made from a photo.")
    audio_bit_rate_bps: int = Field(default=128_000, ge=16_000)
    loudness_lufs: float = Field(default=-16.0, description="Integrated loudness target, EBU R128.")
    true_peak_dbtp: float = Field(default=-1.0, description="True peak limit, measured after the audio encoder.")
    limits: dict[str, CheckLimits] = Field(default_factory=dict, description="Limits of the checks, by check id.")


class Regeneration(Model):
    """One more run from a node, because a policy asked for it."""

    node: str
    provider: str = Field(description="Makes the node from now on, in this production.")
    options: dict[str, Any] = Field(default_factory=dict, description="Changed over the tool registry's.")
    rule: str = Field(default="", description="Of the policy, by name.")


class Ruling(Model):
    """A person's word on what was reviewed."""

    verdict: Literal["approve", "reject"]
    of: str = Field(description="SHA-256 of the video that it is about, 64 hex digits; of another one it says nothing.")
    by: str
    note: str = ""
    at: str = Field(description="RFC 3339 time, UTC.")


class Decisions(Model):
    """What was decided of a production so far: shown to a policy, and followed by the runs after it."""

    upload: str = Field(default="", description="Data version of the upload that they are about.")
    providers: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Node id -> providers of its list that can run here, in order."
    )
    regenerations: tuple[Regeneration, ...] = Field(default=(), description="Oldest first.")
    ruling: Ruling | None = None


ProductionPart = Literal["identity", "delivery", "limits", "decisions"]
"""What a provider may see of its production: which one it is, how it is delivered and judged, what was decided."""


class ProductionSpec(Model):
    """The production a request belongs to."""

    key: str = Field(default="", description="Partition key: <slug>-<16 hex>.")
    workspace: str = "main"
    upload_digest: str = Field(default="", description="SHA-256 identity of audio and face, 64 hex digits.")
    profile: DeliveryProfile = DeliveryProfile()
    decisions: Decisions = Decisions()

    def part(self, name: ProductionPart) -> dict[str, Any]:
        """One part as JSON values."""
        match name:
            case "identity":
                return self.model_dump(mode="json", exclude={"profile", "decisions"})
            case "delivery":
                return self.profile.model_dump(mode="json", exclude={"limits"})
            case "limits":
                return self.profile.model_dump(mode="json", include={"limits"})
            case "decisions":
                return self.decisions.model_dump(mode="json")

    def seen(self, parts: Collection[ProductionPart]) -> Self:
        """A copy with these parts only; the others are as if nobody had set them."""
        identity = self.part("identity") if "identity" in parts else {}
        delivery = self.part("delivery") if "delivery" in parts else {}
        limits = self.part("limits") if "limits" in parts else {}
        decisions = self.part("decisions") if "decisions" in parts else {}
        return type(self).model_validate({**identity, "profile": {**delivery, **limits}, "decisions": decisions})


class TaskRequest(Contract):
    """What the platform adds to every request; all of it has defaults, so the short form works in a script."""

    production: ProductionSpec = ProductionSpec()
    input_fidelity: Fidelity = Field(
        default=Fidelity.REAL, description="Least fidelity of the results this request is made from."
    )
    metadata: dict[str, Any] = Field(default_factory=dict)


MEASURED: dict[str, JsonValue] = {"measurement_of_the_run": True}
"""``json_schema_extra`` of a metric that tells of one run, not of what was made: no part of the content."""


class Metrics(Model):
    """Base of typed metrics; dumps to an object."""

    def content(self) -> Self:
        """A copy without measurements of the run."""
        fields = type(self).model_fields.items()
        return self.model_copy(
            update={name: info.default for name, info in fields if info.json_schema_extra == MEASURED}
        )


class TaskResult(Contract):
    """What every result says of itself. ``provider`` and ``fidelity`` are set again by the platform."""

    provider: str = Field(default="", description="Name of the provider that made it.")
    fidelity: Fidelity = Fidelity.REAL
    notes: tuple[str, ...] = Field(default=(), description="What a person should know, one sentence each.")

    def content(self) -> Self:
        """A copy without what says who and how: this is what its readers get, and what its digests are of."""
        metrics: object = getattr(self, "metrics", None)
        measured = {"metrics": metrics.content()} if isinstance(metrics, Metrics) else {}
        return self.model_copy(update={"provider": "", "notes": (), **measured})


CaptionPolicy = Literal["confident", "all", "none"]
"""confident: captions on the video unless the words are a recogniser's guess; all: always; none: never."""
