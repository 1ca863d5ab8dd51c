"""What is said, and when. Times are seconds from the audio's first sample."""

from typing import Literal

from pydantic import Field

from contracts.artifacts import ArtifactRef, Span
from contracts.base import Contract, Model
from contracts.production import Metrics, TaskRequest, TaskResult


class Phone(Model):
    """One phone in ARPABET without stress (``AA`` .. ``ZH``), or ``SIL``."""

    symbol: str = Field(pattern=r"^[A-Z]{1,3}$")
    start_seconds: float = Field(ge=0)
    end_seconds_exclusive: float = Field(ge=0)
    confidence: float = Field(default=1.0, ge=0, le=1)


class Word(Model):
    text: str
    start_seconds: float = Field(ge=0)
    end_seconds_exclusive: float = Field(ge=0)
    confidence: float = Field(default=1.0, ge=0, le=1)


class Line(Model):
    """A sentence or phrase; its words in order."""

    text: str
    start_seconds: float = Field(ge=0)
    end_seconds_exclusive: float = Field(ge=0)
    confidence: float = Field(default=1.0, ge=0, le=1)
    words: tuple[Word, ...] = ()


class MouthCurve(Contract):
    """Mouth opening over time, stored as an artifact of its own (application/json).

    ``opening[i]`` holds at ``i / rate_hz`` seconds: 0 closed, 1 the widest this speaker opens.
    """

    rate_hz: float = Field(gt=0, le=1000)
    opening: tuple[float, ...]
    width: tuple[float, ...] = Field(
        default=(), description="Mouth width relative to rest, same length as opening, or empty."
    )
    origin: str = Field(default="", description="What it was derived from: aligned, allphone, features, picture.")


class ScriptMetrics(Metrics):
    word_count: int = 0
    phone_count: int = 0
    speech_seconds: float = 0.0
    caption_count: int = 0


class ScriptGenerationRequest(TaskRequest):
    audio_track: ArtifactRef
    transcript: ArtifactRef | None = None
    language: str = "en"


class ScriptResult(TaskResult):
    """The script asset."""

    language: str = "en"
    duration_seconds: float = Field(default=0, ge=0, description="Of the audio, decoded.")
    text: str = ""
    lines: tuple[Line, ...] = ()
    phones: tuple[Phone, ...] = ()
    phones_origin: Literal["aligned", "allphone", "none"] = "none"
    speech: tuple[Span, ...] = Field(default=(), description="Where somebody speaks.")
    words_origin: Literal["transcript", "recognised", "none"] = "none"
    confidence: float = Field(
        default=0.0, ge=0, le=1, description="Of the words: 1 when a person wrote them and they align."
    )
    captions_srt: ArtifactRef | None = None
    captions_vtt: ArtifactRef | None = None
    mouth_curve: ArtifactRef | None = Field(
        default=None, description="MouthCurve from spectral features, where phones are unsure."
    )
    metrics: ScriptMetrics = ScriptMetrics()

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for line in self.lines for word in line.words)

    @property
    def has_confident_words(self) -> bool:
        return self.words_origin == "transcript"
