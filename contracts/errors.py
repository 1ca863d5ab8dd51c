"""Everything that can go wrong, as one tree. Not here: what to do next; ``execution`` decides that by class.

- SparkleError
  - ConfigError              a configuration file says something that cannot be
  - ContractViolation        data does not have the shape its contract promises
  - UploadRejected           a file that came in cannot become a production
  - ProviderError
    - ProviderUnavailable    known before the run: missing weights, missing extra    -> next candidate, no alarm
    - NotApplicable          known from the request: no transcript, other language   -> next candidate, no alarm
    - ProviderRejected       the input itself is bad; retrying will not help         -> stop
    - ProviderFailed         the provider raised                                     -> retry, then next candidate
    - ProviderTimeout        the deadline passed; its processes were killed          -> retry, then next candidate
    - ProviderCrashed        its process died: signal, out of memory, limit          -> retry, then next candidate
  - ArtifactError
    - ArtifactMissing        the bytes are not in the store
    - ArtifactCorrupt        the bytes are there and are not what was stored
    - ArtifactConflict       another writer committed this generation first
    - NoSpace                the disk or quota is full; permanent until a person acts

Every message says what was expected, what came, and what to do.
"""


class SparkleError(Exception):
    """Base of all typed errors; ``str(error)`` is one paragraph for a stranger."""


class ConfigError(SparkleError):
    """A configuration problem, located where the file allows it.

    Args:
        message: expected, found and the known alternatives.
        file: path as the user would type it.
        line: 1-based line number in ``file``.
    """

    def __init__(self, message: str, *, file: str | None = None, line: int | None = None) -> None:
        self.message = message
        self.file = file
        self.line = line
        super().__init__(message, file, line)

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return f"{place}: {self.message}" if place else self.message


class ContractViolation(SparkleError):
    """Data does not have the shape that its contract promises."""


class UploadRejected(SparkleError):
    """A file that came in cannot become a production; the message is shown to whoever sent it."""


class ProviderError(SparkleError):
    """Base of what a provider may end with."""


class ProviderUnavailable(ProviderError):
    """Cannot run on this machine as it is set up: weights, extra or device missing."""


class NotApplicable(ProviderError):
    """Can run, but not for this request."""


class ProviderRejected(ProviderError):
    """The input is bad for every provider; retrying or failing over will not help."""


class ProviderFailed(ProviderError):
    """The provider raised something, or its answer broke its contract."""


class ProviderTimeout(ProviderError):
    """The deadline passed; the provider's whole process tree was killed."""


class ProviderCrashed(ProviderError):
    """The provider's process ended without an answer."""


class ArtifactError(SparkleError):
    """Base of what the artifact store may end with."""


class ArtifactMissing(ArtifactError):
    """The bytes are not in the store."""


class ArtifactCorrupt(ArtifactError):
    """The bytes are there and differ from what was stored."""


class ArtifactConflict(ArtifactError):
    """Another writer committed this generation first."""


class NoSpace(ArtifactError):
    """The disk or the quota is full."""
