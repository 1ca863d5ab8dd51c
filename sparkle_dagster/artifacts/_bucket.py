"""A prefix of a Cloud Storage bucket, by the few verbs that a store needs. Each verb decides an unknown outcome.

``create``   makes an object that was not there (``if_generation_match=0``). A refusal or an error after which nobody
             knows what happened means: look at what is there and compare. It is never written over.
``touch``    says that an object is in use, and proves that it is there: it raises the metageneration.
``remove``   deletes exactly the version that was looked at, so that a touch in between saves it.

Retried: 408, 429, 5xx, broken connections, damaged transfers, with jitter inside one deadline. Not here: what the
objects mean.
"""

import base64
import http.client
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, BinaryIO, TypeVar

import google_crc32c
import requests
from google.api_core import exceptions as api_errors
from google.api_core.retry import Retry
from google.auth import exceptions as auth_errors
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY

RESUMABLE_BYTES = 8 * 2**20
"""From this size an upload goes in pieces of this size; one piece is what is held in memory."""

_TRIES_SECONDS = 20.0
"""Of the deadline, for one request with the client's own repetitions; after that the outcome is looked at."""
_AGAIN = (
    api_errors.RetryError,
    auth_errors.TransportError,
    requests.RequestException,
    DataCorruption,
    ConnectionError,
    TimeoutError,
    http.client.HTTPException,
)
_LONGEST_PAUSE_SECONDS = 10.0
_AGAIN_CODES = {408, 429}
T = TypeVar("T")


class Creation(StrEnum):
    """What ``create`` ended with."""

    MADE = "made"
    SAME = "the same bytes were there"
    OTHER = "other bytes are there"


@dataclass(frozen=True)
class ObjectFacts:
    """One version of an object, as the service describes it."""

    name: str
    """Below the prefix."""
    generation: int
    metageneration: int
    size_bytes: int
    crc32c: str
    """Base64, big endian, as the service writes it."""
    updated: datetime
    """By the service's clock; a touch renews it."""

    @property
    def version(self) -> tuple[int, int]:
        return self.generation, self.metageneration

    def holds(self, size_bytes: int, crc32c: str) -> bool:
        return (self.size_bytes, self.crc32c) == (size_bytes, crc32c)


class Bucket:
    """Objects below a prefix. Made again in each process: connections do not survive a fork.

    Args:
        client: gives a ``google.cloud.storage.Client``.
        prefix: empty, or ends with a slash.
        pause_seconds: before the first repetition; it doubles, and chance takes a part of it.
    """

    def __init__(
        self, client: Callable[[], Any], name: str, prefix: str, deadline_seconds: float, pause_seconds: float
    ) -> None:
        self._bucket = client().bucket(name)
        self._prefix = prefix
        self._deadline_seconds = deadline_seconds
        self._pause_seconds = pause_seconds
        self._retry: Retry = DEFAULT_RETRY.with_delay(
            initial=pause_seconds, maximum=_LONGEST_PAUSE_SECONDS
        ).with_timeout(min(_TRIES_SECONDS, deadline_seconds))

    def look(self, name: str) -> ObjectFacts | None:
        """None when there is no such object."""

        def once() -> ObjectFacts | None:
            blob = self._blob(name)
            try:
                blob.reload(retry=self._retry)
            except api_errors.NotFound:
                return None
            return self._facts(blob)

        return self._until_known(once)

    def create(self, name: str, stream: BinaryIO, size_bytes: int, crc32c: str, sha256: str = "") -> Creation:
        """Store a seekable stream's bytes where nothing was."""
        is_again = False

        def once() -> Creation:
            nonlocal is_again
            if is_again and (found := self._compared(name, size_bytes, crc32c)):
                return found  # the answer to the first try was lost, or another was quicker
            is_again = True
            stream.seek(0)
            try:
                self._upload(name, stream, size_bytes, crc32c, sha256)
            except (api_errors.PreconditionFailed, api_errors.Conflict) as error:
                if found := self._compared(name, size_bytes, crc32c):
                    return found
                raise ConnectionError(f"{name} went away while it was written") from error
            return Creation.MADE

        return self._until_known(once)

    def replace(self, name: str, data: bytes) -> None:
        """Store a small object over whatever is there: the last writer wins."""

        def once() -> None:
            try:
                self._blob(name).upload_from_string(
                    data, content_type="application/json", checksum="crc32c", retry=self._retry
                )
            except api_errors.BadRequest as error:  # damaged on the way
                raise ConnectionError(f"the upload of {name} was refused: {error}") from error

        self._until_known(once)

    def read(self, name: str) -> bytes | None:
        """A small object, verified by its CRC-32C; None when it is not there."""

        def once() -> bytes | None:
            try:
                return self._blob(name).download_as_bytes(checksum="crc32c", retry=self._retry)
            except api_errors.NotFound:
                return None

        return self._until_known(once)

    def download(self, facts: ObjectFacts, sink: BinaryIO) -> None:
        """Exactly the version of ``facts``, verified by its CRC-32C. ``sink`` is emptied before each try.

        Raises: FileNotFoundError: it is not there any more.
        """

        def once() -> None:
            sink.seek(0)
            sink.truncate()
            try:
                self._blob(facts.name).download_to_file(
                    sink, checksum=None, retry=self._retry, if_generation_match=facts.generation, raw_download=True
                )
            except (api_errors.NotFound, api_errors.PreconditionFailed) as error:
                raise FileNotFoundError(f"{facts.name} went away while it was read") from error
            crc32c = 0
            sink.seek(0)
            while block := sink.read(1 << 20):
                crc32c = extended(crc32c, block)
            if not facts.holds(sink.tell(), crc32c_text(crc32c)):  # after a resumption the client compares nothing
                raise ConnectionError(f"{facts.name} was damaged on its way")

        self._until_known(once)

    def read_range(self, facts: ObjectFacts, start: int, count: int) -> bytes:
        """Bytes ``start <= n < start + count``; not verified. Raises: FileNotFoundError."""

        def once() -> bytes:
            try:
                return self._blob(facts.name).download_as_bytes(
                    start=start,
                    end=start + count - 1,
                    checksum=None,
                    retry=self._retry,
                    if_generation_match=facts.generation,
                    raw_download=True,
                )
            except (api_errors.NotFound, api_errors.PreconditionFailed) as error:
                raise FileNotFoundError(f"{facts.name} went away while it was read") from error

        return self._until_known(once)

    def touch(self, name: str) -> bool:
        """Say that the object is in use; False when it is not there. Acknowledged when this returns."""

        def once() -> bool:
            blob = self._blob(name)
            blob.metadata = {"touched": datetime.now(UTC).isoformat(timespec="milliseconds")}
            try:
                blob.patch(retry=self._retry)
            except api_errors.NotFound:
                return False
            return True

        return self._until_known(once)

    def remove(self, name: str, version: tuple[int, int]) -> bool:
        """False when somebody touched, replaced or removed it since it was looked at."""

        def once() -> bool:
            try:
                self._blob(name).delete(
                    if_generation_match=version[0],
                    if_metageneration_match=version[1],
                    retry=self._retry,
                )
            except (api_errors.NotFound, api_errors.PreconditionFailed):
                return False
            return True

        return self._until_known(once)

    def set_aside(self, facts: ObjectFacts, target: str) -> bool:
        """Move a version under another name; False when somebody replaced it meanwhile."""

        def once() -> bool:
            copy = self._blob(target)
            try:
                token: str | None = None
                while True:
                    token, _, _ = copy.rewrite(
                        self._blob(facts.name),
                        token=token,
                        if_source_generation_match=facts.generation,
                        retry=self._retry,
                    )
                    if token is None:
                        break
                self._blob(facts.name).delete(if_generation_match=facts.generation, retry=self._retry)
            except (api_errors.NotFound, api_errors.PreconditionFailed):
                return False
            return True

        return self._until_known(once)

    def names(self, directory: str) -> list[str]:
        """Objects directly in ``directory`` (which ends with a slash), by their last part, sorted."""
        return [facts.name.removeprefix(directory) for facts in self.listed(directory, directly=True)]

    def listed(self, start: str, *, directly: bool = False) -> Iterator[ObjectFacts]:
        """Every object whose name begins with ``start``, sorted by name.

        Args:
            directly: only those without a further slash.
        """
        for page in self._pages(start, directly=directly):
            yield from page

    def pages(self, start: str, *, after: str, page_size: int) -> Iterator[list[ObjectFacts]]:
        """Objects directly below ``start`` and behind the name ``after``, one request each."""
        for page in self._pages(start, directly=True, after=after, page_size=page_size):
            yield [facts for facts in page if facts.name != after]

    def _pages(
        self, start: str, *, directly: bool, after: str = "", page_size: int | None = None
    ) -> Iterator[list[ObjectFacts]]:
        blobs = self._bucket.list_blobs(
            prefix=self._prefix + start,
            delimiter="/" if directly else None,
            start_offset=self._prefix + after if after else None,
            page_size=page_size,
            fields="items(name,generation,metageneration,size,crc32c,updated),nextPageToken",
            retry=self._retry,
        )
        for page in blobs.pages:
            yield [self._facts(blob) for blob in page]

    def _upload(self, name: str, stream: BinaryIO, size_bytes: int, crc32c: str, sha256: str) -> None:
        in_pieces = size_bytes >= RESUMABLE_BYTES
        blob = self._blob(name, chunk_size=RESUMABLE_BYTES if in_pieces else None)
        blob.metadata = {"sha256": sha256} if sha256 else None
        try:
            blob.upload_from_file(
                stream,
                size=None if in_pieces else size_bytes,
                content_type="application/octet-stream",
                if_generation_match=0,
                checksum=None if in_pieces else "crc32c",
                crc32c_checksum_value=crc32c if in_pieces else None,  # the service refuses the whole where it differs
                retry=self._retry,
            )
        except (api_errors.BadRequest, ValueError) as error:
            # Damaged on the way, a session that is gone, a piece that was cut off (a bare ValueError of the client).
            raise ConnectionError(f"the upload of {name} was broken off: {error}") from error

    def _compared(self, name: str, size_bytes: int, crc32c: str) -> Creation | None:
        found = self.look(name)
        if found is None:
            return None
        return Creation.SAME if found.holds(size_bytes, crc32c) else Creation.OTHER

    def _until_known(self, once: Callable[[], T]) -> T:
        """Try until it is known what happened. Raises: ArtifactError: not within the deadline."""
        end = time.monotonic() + self._deadline_seconds
        pause_seconds = self._pause_seconds
        while True:
            try:
                return once()
            except Exception as error:
                if not _is_worth_another(error) or time.monotonic() + pause_seconds > end:
                    raise
                time.sleep(random.SystemRandom().uniform(0, pause_seconds))
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    def _blob(self, name: str, chunk_size: int | None = None) -> Any:
        return self._bucket.blob(self._prefix + name, chunk_size=chunk_size)

    def _facts(self, blob: Any) -> ObjectFacts:
        return ObjectFacts(
            name=str(blob.name).removeprefix(self._prefix),
            generation=int(blob.generation),
            metageneration=int(blob.metageneration),
            size_bytes=int(blob.size),
            crc32c=str(blob.crc32c),
            updated=blob.updated,
        )


def crc32c_text(crc32c: int) -> str:
    """As the service writes it: base64 of four bytes, big endian."""
    return base64.b64encode(crc32c.to_bytes(4, "big")).decode()


def extended(crc32c: int, block: bytes) -> int:
    """The CRC-32C of all before and ``block``; 0 begins."""
    return google_crc32c.extend(crc32c, block)


def _is_worth_another(error: Exception) -> bool:
    if isinstance(error, api_errors.GoogleAPICallError):
        return isinstance(error, api_errors.ServerError) or error.code in _AGAIN_CODES
    return isinstance(error, _AGAIN) and not isinstance(error, FileNotFoundError)
