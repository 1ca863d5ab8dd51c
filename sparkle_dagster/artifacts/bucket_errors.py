"""An error of Cloud Storage or of the way to it, told as a typed error: what was tried, what came, what to do."""

from collections.abc import Generator
from contextlib import contextmanager

from contracts.errors import ArtifactError, SparkleError

_ADVICE = {
    400: "the service did not understand the request: check settings.store",
    401: "give this machine credentials for the bucket (gcloud auth application-default login, or a service account)",
    403: "give this account the right to read, create and update objects in the bucket",
    404: "make the bucket, or mend settings.store.bucket",
}
_LATER = "the service was not to be had within settings.store.deadline_s; nothing was committed, running again is safe"


@contextmanager
def typed_bucket_errors(doing: str, place: str) -> Generator[None]:
    """Turn whatever the client raises into an ``ArtifactError``; an ``OSError`` of the disk passes.

    Args:
        doing: completes "could not ...".
        place: the bucket, as its user names it.
    """
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption
    from requests import RequestException

    try:
        yield
    except SparkleError:
        raise
    except DefaultCredentialsError as error:
        raise ArtifactError(f"could not {doing} in {place}: no credentials were found; {_ADVICE[401]}") from error
    except GoogleAPICallError as error:
        advice = _ADVICE.get(int(error.code or 0), _LATER)
        raise ArtifactError(f"could not {doing} in {place}: {error.code} {error.message}; {advice}") from error
    except (GoogleAuthError, RetryError, DataCorruption, RequestException, ConnectionError, TimeoutError) as error:
        raise ArtifactError(f"could not {doing} in {place}: {type(error).__name__}: {error}; {_LATER}") from error
