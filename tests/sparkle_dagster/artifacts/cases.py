"""What every artifact store promises, whatever it stands on. A test of a store inherits these and brings fixtures.

``client``   an ``ArtifactClient`` of a fresh store
``store``    the store itself, fresh
``twin``     another fresh store at another place
``damage``   ``damage(ref, data)`` replaces the stored bytes behind the store's back, ``damage(ref, None)`` loses them
"""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.artifacts import ArtifactRef
from contracts.context import ArtifactClient
from contracts.errors import ArtifactConflict, ArtifactCorrupt, ArtifactError, ArtifactMissing, ContractViolation

Damage = Callable[[ArtifactRef, bytes | None], None]
KEY = "aligned_video/interview-0123456789abcdef"
BODY = bytes(range(256)) * 9000  # 2.3 MB: more than one block
HOSTILE_KEYS = [
    "",
    "../other",
    "a/../../b",
    "/etc/passwd",
    "a//b",
    "a\x00b",
    "a\nb",
    "a\u202eb",
    "-rf",
    "a%d\\b",
    "concat:a|b",
    "a/@1",
    ".hidden",
    "a/b.",
    "A/b",
    "a/" + "b" * 300,
]


def document_of(*refs: ArtifactRef, **more: Any) -> dict[str, Any]:
    return {"outputs": [ref.model_dump(mode="json") for ref in refs], **more}


def flipped(data: bytes, at: int = 1_000_000) -> bytes:
    """One bit changed."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def read_all(client: ArtifactClient, ref: ArtifactRef) -> bytes:
    with client.open(ref) as stream:
        return stream.read()


class ArtifactClientCases:
    """What a provider may rely on."""

    def test_bytes_come_back_as_they_were_put(self, client: ArtifactClient, tmp_path: Path) -> None:
        source = tmp_path / "Rückblick (final).mp4"
        source.write_bytes(BODY)
        ref = client.put(source, "video/mp4", {"take": 2})
        assert (ref.size_bytes, ref.media_type, ref.metadata) == (len(BODY), "video/mp4", {"take": 2})
        with client.open(ref) as stream:
            assert stream.read() == BODY
            assert stream.seek(5) == 5
            assert stream.read(3) == BODY[5:8]
            assert not stream.writable()
        path = client.fetch(ref)
        assert path.read_bytes() == BODY
        assert "blick" not in str(path)
        assert client.exists(ref)
        client.verify(ref)

    def test_a_stream_and_a_file_of_the_same_bytes_give_the_same_ref(
        self, client: ArtifactClient, tmp_path: Path
    ) -> None:
        (tmp_path / "a").write_bytes(BODY)
        assert client.put(tmp_path / "a", "video/mp4") == client.put(io.BytesIO(BODY), "video/mp4")

    def test_nothing_is_an_artifact_too(self, client: ArtifactClient) -> None:
        ref = client.put(io.BytesIO(b""), "text/plain")
        assert ref.size_bytes == 0
        assert read_all(client, ref) == b""
        assert client.fetch(ref).read_bytes() == b""

    def test_a_fetched_file_is_read_only_and_changing_it_changes_nothing_stored(self, client: ArtifactClient) -> None:
        ref = client.put(io.BytesIO(BODY), "video/mp4")
        path = client.fetch(ref)
        found = path.stat()
        assert (found.st_mode & 0o777, found.st_nlink) == (0o444, 1)
        path.chmod(0o644)
        path.write_bytes(b"changed by a provider")
        client.verify(ref)
        assert client.fetch(ref).read_bytes() == BODY

    def test_missing_bytes_are_typed(self, client: ArtifactClient, damage: Damage) -> None:
        ref = client.put(io.BytesIO(BODY), "video/mp4")
        damage(ref, None)
        assert not client.exists(ref)
        for read in (client.open, client.fetch, client.verify):
            with pytest.raises(ArtifactMissing, match=ref.digest):
                read(ref)

    @pytest.mark.parametrize("data", [flipped(BODY), BODY[:-1], BODY + b"x", b""])
    @pytest.mark.parametrize("method", ["open", "fetch", "verify"])
    def test_changed_bytes_are_found_before_the_first_one_leaves(
        self, client: ArtifactClient, damage: Damage, method: str, data: bytes
    ) -> None:
        ref = client.put(io.BytesIO(BODY), "video/mp4")
        damage(ref, data)
        with pytest.raises(ArtifactCorrupt, match=ref.digest):
            getattr(client, method)(ref)

    def test_putting_the_bytes_again_heals_changed_ones(self, client: ArtifactClient, damage: Damage) -> None:
        ref = client.put(io.BytesIO(BODY), "video/mp4")
        damage(ref, flipped(BODY))
        assert client.put(io.BytesIO(BODY), "video/mp4") == ref
        client.verify(ref)

    def test_a_name_gives_what_it_was_last_given(self, client: ArtifactClient) -> None:
        first, second = (client.put(io.BytesIO(data), "text/plain") for data in (b"1", b"2"))
        assert client.named("faces/x.json") is None
        client.name("faces/x.json", first)
        client.name("faces", second)
        client.name("faces/x.json/inner", second)
        assert (client.named("faces/x.json"), client.named("faces")) == (first, second)
        client.name("faces/x.json", second)
        assert client.named("faces/x.json") == second

    def test_a_name_of_lost_bytes_is_unknown(self, client: ArtifactClient, damage: Damage) -> None:
        ref = client.put(io.BytesIO(BODY), "video/mp4")
        client.name("faces/x", ref)
        damage(ref, None)
        assert client.named("faces/x") is None

    @pytest.mark.parametrize("key", HOSTILE_KEYS)
    def test_hostile_names_are_refused(self, client: ArtifactClient, key: str) -> None:
        ref = client.put(io.BytesIO(b"1"), "text/plain")
        with pytest.raises(ContractViolation, match="key"):
            client.name(key, ref)
        with pytest.raises(ContractViolation, match="key"):
            client.named(key)

    def test_only_regular_files_are_taken(self, client: ArtifactClient, tmp_path: Path) -> None:
        (tmp_path / "real").write_bytes(b"1")
        (tmp_path / "link").symlink_to(tmp_path / "real")
        (tmp_path / "folder").mkdir()
        os.mkfifo(tmp_path / "fifo")
        for name in ("link", "folder", "fifo", "absent"):
            with pytest.raises(ArtifactError, match=name):
                client.put(tmp_path / name, "text/plain")

    @pytest.mark.parametrize("metadata", [{"a": float("nan")}, {"a": b"bytes"}])
    def test_metadata_that_json_cannot_hold_is_refused(self, client: ArtifactClient, metadata: dict[str, Any]) -> None:
        with pytest.raises(ContractViolation, match="metadata"):
            client.put(io.BytesIO(b"1"), "text/plain", metadata)

    def test_a_media_type_that_is_none_is_refused(self, client: ArtifactClient) -> None:
        with pytest.raises(ContractViolation, match="media_type"):
            client.put(io.BytesIO(b"1"), "not a type")


class ArtifactStoreCases(ArtifactClientCases):
    """What the platform may rely on besides."""

    @pytest.fixture
    def client(self, store: Any) -> ArtifactClient:
        return store

    def test_two_stores_give_the_same_ref(self, store: Any, twin: Any) -> None:
        assert store.put(io.BytesIO(BODY), "video/mp4") == twin.put(io.BytesIO(BODY), "video/mp4")

    def test_too_many_bytes_are_refused_and_leave_nothing(self, store: Any) -> None:
        with pytest.raises(ArtifactError, match="at most 10 bytes"):
            store.put(io.BytesIO(b"x" * 11), "text/plain", limit_bytes=10)
        assert store.put(io.BytesIO(b"x" * 10), "text/plain", limit_bytes=10).size_bytes == 10

    @pytest.mark.parametrize("change", [{"size_bytes": 3}, {"path": "cas/sha256/00/" + "0" * 64}])
    def test_a_changed_ref_is_refused_and_harms_nothing(self, store: Any, change: dict[str, Any]) -> None:
        ref = store.put(io.BytesIO(BODY), "video/mp4")
        for read in (store.open, store.fetch, store.verify):
            with pytest.raises((ArtifactCorrupt, ArtifactMissing), match=r"ref|path"):
                read(ref.model_copy(update=change))
        store.verify(ref)

    def test_a_scoped_client_reads_its_inputs_and_what_it_wrote_only(self, store: Any, tmp_path: Path) -> None:
        given, foreign = (store.put(io.BytesIO(data), "text/plain") for data in (b"given", b"foreign"))
        (tmp_path / "scratch").mkdir()
        client = store.scoped([given], scratch_dir=tmp_path / "scratch")
        assert read_all(client, given) == b"given"
        assert client.fetch(given).parent == tmp_path / "scratch"
        own = client.put(io.BytesIO(b"own"), "text/plain")
        client.verify(own)
        assert client.exists(given)
        assert not client.exists(foreign)
        for refused in (client.open, client.fetch, client.verify, lambda ref: client.name("a/b", ref)):
            with pytest.raises(ArtifactMissing, match="bind it in the workflow"):
                refused(foreign)

    def test_a_scoped_client_may_read_what_a_name_gave_it(self, store: Any) -> None:
        derived = store.put(io.BytesIO(b"face track"), "application/json")
        store.name("faces/x", derived)
        client = store.scoped([])
        found = client.named("faces/x")
        assert found is not None
        assert read_all(client, found) == b"face track"

    def test_commits_of_a_key_are_numbered_from_one(self, store: Any) -> None:
        for number in (1, 2, 3):
            assert store.commit(KEY, {"n": number}, attempt_id=str(number)).generation == number
        assert store.generations(KEY) == (1, 2, 3)
        assert store.read(KEY).document == {"n": 3}
        assert store.read(KEY, 1).document == {"n": 1}

    def test_a_manifest_says_what_it_refers_to(self, store: Any) -> None:
        refs = [store.put(io.BytesIO(data), "text/plain") for data in (b"1", b"2")]
        written = store.commit(KEY, document_of(*refs, nested={"deep": [refs[0].model_dump()]}), attempt_id="a")
        assert written.blobs == tuple(sorted(ref.digest for ref in refs))
        assert store.read(KEY) == written

    def test_a_document_of_bytes_that_are_not_stored_is_not_committed(self, store: Any, damage: Damage) -> None:
        ref = store.put(io.BytesIO(b"1"), "text/plain")
        damage(ref, None)
        with pytest.raises(ArtifactMissing, match=ref.digest):
            store.commit(KEY, document_of(ref), attempt_id="a")
        assert store.generations(KEY) == ()

    def test_the_same_attempt_commits_once(self, store: Any) -> None:
        first = store.commit(KEY, {"n": 1}, attempt_id="a")
        store.commit(KEY, {"n": 1}, attempt_id="b")
        assert store.commit(KEY, {"n": 1}, attempt_id="a") == first
        assert store.commit(KEY, {"n": 1}, attempt_id="a", expect_generation=1) == first
        assert store.generations(KEY) == (1, 2)

    def test_an_expected_generation_that_another_made_is_a_conflict(self, store: Any) -> None:
        store.commit(KEY, {"n": 1}, attempt_id="winner", expect_generation=1)
        for document, attempt_id in (({"n": 1}, "loser"), ({"n": 2}, "winner")):
            with pytest.raises(ArtifactConflict, match="attempt winner"):
                store.commit(KEY, document, attempt_id=attempt_id, expect_generation=1)
        with pytest.raises(ArtifactConflict, match="got 1 as the newest"):
            store.commit(KEY, {}, attempt_id="a", expect_generation=3)
        assert store.generations(KEY) == (1,)

    def test_what_was_never_committed_is_missing(self, store: Any) -> None:
        with pytest.raises(ArtifactMissing, match="nothing was committed"):
            store.read(KEY)
        store.commit(KEY, {}, attempt_id="a")
        with pytest.raises(ArtifactMissing, match="expected generation 7, got 1"):
            store.read(KEY, 7)

    def test_keys_are_listed_by_prefix(self, store: Any) -> None:
        assert store.keys() == ()
        for key in ("script/b-1", "script/a-1", "script_x/a-1", "script/a-1/parts.json"):
            store.commit(key, {}, attempt_id="a")
        assert store.keys() == ("script/a-1", "script/a-1/parts.json", "script/b-1", "script_x/a-1")
        assert store.keys("script/") == ("script/a-1", "script/a-1/parts.json", "script/b-1")
        assert store.keys("script/b") == ("script/b-1",)
        assert store.keys("nothing/") == ()
        with pytest.raises(ContractViolation):
            store.keys("../")

    @pytest.mark.parametrize("key", HOSTILE_KEYS)
    def test_hostile_keys_are_refused(self, store: Any, key: str) -> None:
        for use in (lambda: store.commit(key, {}, attempt_id="a"), lambda: store.read(key)):
            with pytest.raises(ContractViolation, match="key"):
                use()
        assert store.keys() == ()

    @pytest.mark.parametrize(
        "document",
        [{"a": float("nan")}, {"a": [float("inf")]}, {1: "a"}, {"a": {2: 3}}, {"a": {1, 2}}, {"a": "\ud800"}],
    )
    def test_documents_that_json_cannot_hold_are_refused(self, store: Any, document: dict[str, Any]) -> None:
        with pytest.raises(ContractViolation, match="document"):
            store.commit(KEY, document, attempt_id="a")
        assert store.keys() == ()

    def test_a_commit_says_who_made_it(self, store: Any) -> None:
        with pytest.raises(ContractViolation, match="attempt_id"):
            store.commit(KEY, {}, attempt_id="")
