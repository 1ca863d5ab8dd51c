"""The shape of ``configs/tool_registry.yaml``: which providers, and every host, port, path and model.

Shape only: substitution, overlays, provider options and origins are ``sparkle_dagster.registry``'s.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from contracts.base import Contract, Fidelity, Model
from contracts.workflow import Name, Seconds

_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB)")
_UNIT_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def _size(value: object) -> object:
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"expected a size such as 500MiB or 4GiB, got {value!r}")
        return int(match[1]) * _UNIT_BYTES[match[2]]
    return value


SizeBytes = Annotated[int, BeforeValidator(_size, json_schema_input_type=int | str)]


_BUCKET = r"^([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])?$"
_PREFIX = r"^([A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*/?)?$"


class StoreSettings(Model):
    """``local``: files below ``root``. ``gcs``: objects in a bucket, and this machine's copies below ``root``."""

    kind: Literal["local", "gcs"] = "local"
    root: str = Field(description="Directory of the artifact store; of a bucket store, of this machine's copies.")
    bucket: str = Field(default="", pattern=_BUCKET, description="gcs: name of the bucket.")
    prefix: str = Field(default="", pattern=_PREFIX, description="gcs: folder of the store in the bucket.")
    project: str | None = Field(default=None, description="gcs: the cloud project; default: of the credentials.")
    client: str = Field(
        default="dagster_gcp:GCSResource",
        pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$",
        description="gcs: module:Class of the Dagster resource whose get_client() reaches the bucket.",
    )
    deadline_s: Seconds = Field(
        default=300.0, gt=0, description="gcs: one request is repeated up to this time, then it failed."
    )

    @model_validator(mode="after")
    def _names_its_bucket(self) -> Self:
        if self.kind == "gcs" and not self.bucket:
            raise ValueError("expected the name of a bucket with kind: gcs, got none")
        return self


class UploadSettings(Model):
    """``local``: a folder. ``gcs``: objects of a bucket, fetched into that folder, reached as the store's bucket is."""

    kind: Literal["local", "gcs"] = "local"
    inbox: str = Field(description="Directory that is watched for new audio.")
    bucket: str = Field(default="", pattern=_BUCKET, description="gcs: name of the bucket.")
    prefix: str = Field(default="", pattern=_PREFIX, description="gcs: folder that is watched.")
    tick_s: Seconds = Field(default=10.0, ge=0, description="gcs: one look at the bucket ends soon after this.")
    settle_s: Seconds = Field(default=5.0, ge=0, description="A file counts as whole after this time without a change.")
    max_bytes: SizeBytes = Field(default=4 * 2**30, gt=0)

    @model_validator(mode="after")
    def _names_its_bucket(self) -> Self:
        if self.kind == "gcs" and not self.bucket:
            raise ValueError("expected the name of a bucket with kind: gcs, got none")
        return self


class Service(Model):
    host: str
    port: int = Field(ge=0, le=65535, description="0 lets the system choose.")


class SecretReference(Model):
    secret: str = Field(pattern=r"^env:[A-Za-z_][A-Za-z0-9_]*$", description="Where it stands, such as env:NAME.")


class StatusService(Service):
    token: SecretReference | None = Field(
        default=None, description="Callers must have it; needed where others than this machine can reach the service."
    )


class Services(Model):
    webserver: Service
    status: StatusService | None = Field(default=None, description="`sparkle serve`; without it there is none.")


class StdoutSink(Model):
    """The output of `sparkle serve`: a JSON line per event, or a line for people."""

    kind: Literal["stdout"]
    name: Name = "stdout"
    style: Literal["json", "human"] = "json"


class JsonLinesSink(Model):
    kind: Literal["jsonl"]
    name: Name = "jsonl"
    path: str = Field(description="File that grows by a JSON line per event.")


class PrometheusSink(Model):
    """Counted and shown at ``/metrics`` of the status service, for a Prometheus server to scrape."""

    kind: Literal["prometheus"]
    name: Name = "prometheus"


class BigQuerySink(Model):
    """A table of events; it is made when it is not there, the dataset must be."""

    kind: Literal["bigquery"]
    name: Name = "bigquery"
    project: str
    dataset: str
    table: Name = "node_events"
    location: str | None = None


Sink = Annotated[StdoutSink | JsonLinesSink | PrometheusSink | BigQuerySink, Field(discriminator="kind")]


class EventSettings(Model):
    """The spool: events wait there for the sinks."""

    keep_bytes: SizeBytes = Field(
        default=256 * 2**20, ge=2**20, description="The oldest events go beyond this, delivered or not."
    )


class Lane(Model):
    """``local``: this machine. ``ray``: machines of a Ray cluster, where an actor per slot holds its part of a GPU."""

    kind: Literal["local", "ray"] = "local"
    slots: int = Field(default=1, ge=1, le=1024, description="Steps at once: of gpu across runs, of cpu in one run.")
    address: str = Field(
        default="", pattern=r"^((ray://)?[^\s/:]+:\d+)?$", description="ray: host and port of the cluster's head."
    )
    token: SecretReference | None = Field(default=None, description="ray: the cluster's token.")
    project: str = Field(default="", description="ray: folder of the project on its machines; default: as here.")
    gpus_per_slot: float = Field(default=1.0, ge=0, description="ray: what a slot takes of the cluster's GPUs.")
    shared_store: bool = Field(
        default=False, description="ray: a local store's folder is the same files on every machine of the cluster."
    )
    lease_s: Seconds = Field(
        default=8.0, ge=2, description="ray: a provider is killed when its caller was not heard from for this time."
    )

    @model_validator(mode="after")
    def _names_its_cluster(self) -> Self:
        if self.kind == "ray" and not self.address:
            raise ValueError("expected the address of a cluster's head with kind: ray, got none")
        return self


class Lanes(Model):
    cpu: Lane = Lane(slots=2)
    gpu: Lane = Lane(slots=1)


class QueueSettings(Model):
    """Who goes first of those that wait; how many run at once stands in dagster.yaml."""

    priorities: dict[str, int] = Field(
        default_factory=dict,
        description="Tag of an upload -> its place: the highest first; 0 without such a tag.",
    )


class WarmSettings(Model):
    """Resident processes of providers that say ``warm``."""

    idle_s: Seconds = Field(default=300.0, gt=0, description="One ends, and frees its memory, after this time unused.")


class Quota(Model):
    """What a workspace may take; no rule, no limit."""

    max_bytes: SizeBytes | None = Field(default=None, gt=0, description="Stored bytes; above it no upload is admitted.")
    productions_in_flight: int | None = Field(default=None, ge=1, description="More wait in the inbox.")


class KeepRule(Model):
    """How long one asset is kept; what is not said follows the general rule."""

    age_s: Seconds | None = Field(default=None, gt=0, description="Since its newest commit; then all of it goes.")
    generations: int | None = Field(default=None, ge=1, description="The newest that are kept.")


class InboxRetention(Model):
    admitted_s: Seconds | None = Field(default=None, gt=0, description="Files that became productions.")
    quarantine_s: Seconds | None = Field(default=None, gt=0, description="Files that could not be used.")


class RetentionSettings(Model):
    """What a sweep removes. Without a rule nothing goes but bytes that nothing refers to."""

    scheduled: bool = Field(default=False, description="Whether the schedule in Dagster starts turned on.")
    cron: str = Field(default="17 3 * * *", description="When the schedule sweeps, UTC.")
    grace_s: Seconds = Field(default=86400.0, ge=0, description="Unreferred bytes stay this long after their last use.")
    age_s: Seconds | None = Field(default=None, gt=0, description="A production goes, this long after its last commit.")
    generations: int | None = Field(default=None, ge=1, description="The newest of each asset that are kept.")
    max_bytes: SizeBytes | None = Field(default=None, gt=0, description="Above it the oldest productions go.")
    min_free_bytes: SizeBytes | None = Field(default=None, gt=0, description="Below it the oldest productions go.")
    assets: dict[Name, KeepRule] = Field(default_factory=dict)
    memo_s: Seconds = Field(default=90 * 86400.0, gt=0, description="What is remembered is kept this long.")
    inbox: InboxRetention = InboxRetention()
    runs_s: Seconds | None = Field(
        default=None, gt=0, description="Dagster's records of runs that failed, or whose production is gone."
    )


class PlatformSettings(Model):
    store: StoreSettings
    uploads: UploadSettings
    services: Services
    sinks: tuple[Sink, ...] = Field(default=(), description="Where node events are delivered.")
    events: EventSettings = EventSettings()
    lanes: Lanes = Lanes()
    queue: QueueSettings = QueueSettings()
    warm: WarmSettings = WarmSettings()
    retention: RetentionSettings = RetentionSettings()
    quota: Quota = Quota()
    allowed_providers: tuple[str, ...] | None = Field(
        default=None, description="<capability>/<name> of the providers that may run besides the no-ops; default: all."
    )
    presenter: str = Field(description="The face when an upload brings none; a path inside the project.")
    language: str = Field(default="en", description="When an upload does not say.")
    allowed_licences: tuple[str, ...] | None = Field(
        default=None,
        description="Licences of weights, as models: names them, that may be used; providers with others are passed "
        "over. null: any.",
    )

    @field_validator("sinks")
    @classmethod
    def _have_names_of_their_own(cls, sinks: tuple[Sink, ...]) -> tuple[Sink, ...]:
        names = [sink.name for sink in sinks]
        if len(set(names)) < len(names):
            raise ValueError(f"expected sinks with different names, got {', '.join(names)}; give one another `name`")
        return sinks


class ProfileSettings(Model):
    """A delivery profile as written; ``qa`` names the file with the limits."""

    codec: str = "libx264"
    preset: str = "veryfast"
    crf: int = Field(default=20, ge=0, le=63)
    max_long_side: int = Field(default=1280, ge=16)
    fps: float = Field(default=25.0, gt=0, le=120)
    audio_bit_rate_bps: int = Field(default=128_000, ge=16_000)
    loudness_lufs: float = -16.0
    true_peak_dbtp: float = -1.0
    qa: str = Field(description="YAML file with the limits of the checks, relative to the project.")


class ModelSettings(Model):
    path: str
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    licence: str


class CapabilitySettings(Model):
    """One capability's selection: the first provider that can, in this order."""

    enabled: bool = True
    providers: tuple[Name, ...] = Field(min_length=1)
    min_fidelity: Fidelity = Field(default=Fidelity.STUB, description="A result below this fails the node.")
    shadow: tuple[Name, ...] = Field(
        default=(), description="Providers that run beside on the same request, deliver nothing, and are compared."
    )


class ToolRegistry(Contract):
    """Sections with fixed names; every other top-level key is a capability."""

    settings: PlatformSettings
    profiles: dict[Name, ProfileSettings] = Field(min_length=1)
    models: dict[Name, ModelSettings] = Field(default_factory=dict)
    capabilities: dict[Name, CapabilitySettings]
    providers: dict[Name, dict[Name, dict[str, Any]]] = Field(
        default_factory=dict, description="capability -> provider -> options; 'use' names a class module:Class."
    )


SECTIONS = ("schema_version", "settings", "profiles", "models", "providers")
"""Top-level keys that are not capabilities."""
