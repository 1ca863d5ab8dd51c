"""What a capability needs done. A provider is a concrete subclass of one of these tasks.

    class StillLipSync(LipSyncTask):
        class Options(LipSyncTask.Options):
            zoom: float = 1.0

        def run(self, request: LipSyncRequest) -> LipSyncResult: ...

Nothing wider than ``run(request) -> result``: shared things are injected through ``ProviderContext``.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from contracts.context import ProviderContext
from contracts.lipsync import LipSyncRequest, LipSyncResult
from contracts.media import InspectionRequest, InspectionResult
from contracts.production import ProductionPart, TaskRequest, TaskResult
from contracts.qa import QAReviewRequest, QAReviewResult
from contracts.script import ScriptGenerationRequest, ScriptResult
from contracts.video import VideoAssemblyRequest, VideoAssemblyResult

Request = TypeVar("Request", bound=TaskRequest)
Result = TypeVar("Result", bound=TaskResult)


class ProviderOptions(BaseModel):
    """Options of a provider as the tool registry gives them; a typo is an error when the registry loads."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names under the tool registry's ``models`` that these options use: weights and other files of the user."""
        name = getattr(self, "model", None)
        return (name,) if isinstance(name, str) else ()


class Task(ABC, Generic[Request, Result]):
    """One capability's interface, and the base of its providers.

    Class facts of a provider: ``version`` is part of the provenance (bump it when outputs change), ``lane`` is where
    it wants to run, ``deterministic`` says that equal requests give equal bytes, ``warm`` that the instance is worth
    keeping from run to run: a resident process then calls ``run`` again and again, with ``self.context`` renewed before
    each; what was loaded stays on ``self``, and nothing of an earlier context may. ``preload`` names modules that every
    run imports: they are loaded once per run of the pipeline and attempts are forked after it, so nothing that starts
    threads of its own or touches a GPU. ``sees`` are the parts of the request's ``production`` that it is shown: a
    stored result is used again where everything it was shown is the same, so the fewer parts, the more often.
    """

    capability: ClassVar[str]
    request_type: ClassVar[type[TaskRequest]]
    result_type: ClassVar[type[TaskResult]]

    version: ClassVar[str] = "1"
    lane: ClassVar[Literal["cpu", "gpu"]] = "cpu"
    deterministic: ClassVar[bool] = True
    warm: ClassVar[bool] = False
    preload: ClassVar[tuple[str, ...]] = ()
    sees: ClassVar[frozenset[ProductionPart]] = frozenset({"identity", "delivery", "limits"})

    class Options(ProviderOptions):
        """No options."""

    def __init__(self, options: ProviderOptions, context: ProviderContext) -> None:
        self.options = options
        self.context = context

    @classmethod
    def unavailable(cls, options: ProviderOptions) -> str | None:
        """Why this provider cannot run on this machine, with the command that mends it; None when it can."""
        return None

    @classmethod
    def not_applicable(cls, options: ProviderOptions, request: TaskRequest) -> str | None:
        """Why this provider is not for this request; None when it is. Cheap: no media is opened here."""
        return None

    @abstractmethod
    def run(self, request: Request) -> Result:
        """Do the work.

        Raises:
            ProviderRejected: the input is bad; retrying will not help.
            NotApplicable: found out only now that this provider is not for this request.
            ProviderFailed: anything else that went wrong.
        """


class ScriptGenerationTask(Task[ScriptGenerationRequest, ScriptResult]):
    """What is said, and when: lines, words, phones, captions."""

    capability = "script"
    sees = frozenset()
    request_type = ScriptGenerationRequest
    result_type = ScriptResult


class LipSyncTask(Task[LipSyncRequest, LipSyncResult]):
    """A face whose mouth follows the voice."""

    capability = "lipsync"
    sees = frozenset({"delivery"})
    request_type = LipSyncRequest
    result_type = LipSyncResult


class VideoAssemblyTask(Task[VideoAssemblyRequest, VideoAssemblyResult]):
    """Picture, sound, captions and title as one deliverable file."""

    capability = "video"
    sees = frozenset({"identity", "delivery"})
    request_type = VideoAssemblyRequest
    result_type = VideoAssemblyResult


class QAReviewTask(Task[QAReviewRequest, QAReviewResult]):
    """Measured checks on the finished file, and a verdict."""

    capability = "qa"
    sees = frozenset({"delivery", "limits"})
    request_type = QAReviewRequest
    result_type = QAReviewResult

    checks: ClassVar[frozenset[str] | None] = None
    """Ids of its checks: a profile's limit for another id is then refused when the registry loads. None: any."""


class MediaInspectionTask(Task[InspectionRequest, InspectionResult]):
    """Facts and previews of any file, by decoding it. Not a node: the platform asks it about every output."""

    capability = "media"
    sees = frozenset()
    request_type = InspectionRequest
    result_type = InspectionResult
