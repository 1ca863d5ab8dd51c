"""Documents and keys of any shape: kept exactly, or refused."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ArtifactCorrupt, ContractViolation
from sparkle_dagster.artifacts.keys import Layout, checked_key
from sparkle_dagster.artifacts.manifests import Manifest, blobs_of, decoded, encoded, plain_document

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUE = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))
DOCUMENT = st.dictionaries(TEXT, VALUE, max_size=4)
NOT_FINITE = st.sampled_from([math.nan, math.inf, -math.inf])

VERSION_1 = b"""{"attempt_id":"run-1","blobs":[],"committed_at":"2026-11-01T10:00:00.000+00:00",\
"document":{"title":"caf\xc3\xa9"},"generation":3,"key":"script/a-1","schema_version":1,"self_checksum":\
"sha256:f81a9203e1d8a849ddca6ad80361e7add415361b97881ce6cc7258627d0ed245","workspace":"main"}"""


@given(DOCUMENT)
def test_a_document_comes_back_as_it_was_written(document: dict[str, Any]) -> None:
    plain = plain_document(document)
    assert plain == document
    assert decoded(encoded({"document": plain}), "here")["document"] == plain


@given(DOCUMENT, NOT_FINITE, st.data())
def test_a_number_that_is_none_is_refused_wherever_it_stands(
    document: dict[str, Any], number: float, data: st.DataObject
) -> None:
    place: Any = document
    while isinstance(place, dict | list) and place and data.draw(st.booleans()):
        inner = data.draw(st.sampled_from(list(place.values()) if isinstance(place, dict) else place))
        if not isinstance(inner, dict | list):
            break
        place = inner
    place.update({"bad": number}) if isinstance(place, dict) else place.append(number)
    with pytest.raises(ContractViolation, match="document"):
        plain_document(document)


@given(DOCUMENT, st.data())
def test_one_changed_bit_is_found(document: dict[str, Any], data: st.DataObject) -> None:
    """Or changes nothing that is read, as 1e9 and 1E9."""
    written = encoded({"document": document})
    position = data.draw(st.integers(0, len(written) - 1))
    changed = bytearray(written)
    changed[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        assert decoded(bytes(changed), "here") == {"document": document}
    except ArtifactCorrupt:
        return


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{}", b'{"self_checksum": 3}', b"\xff", b"[" * 100_000])
def test_what_is_no_manifest_is_corrupt(data: bytes) -> None:
    with pytest.raises(ArtifactCorrupt, match="here"):
        decoded(data, "here")


def test_checksums_are_collected_from_any_depth_once() -> None:
    first, second = "a" * 64, "b" * 64
    document = {
        "x": [{"checksum": f"sha256:{second}"}, {"y": {"checksum": f"sha256:{first}", "z": 1}}],
        "checksum": f"sha256:{second}",
        "not": {"checksum": "md5:1", "text": f"sha256:{'c' * 64}"},
    }
    assert blobs_of(document) == (first, second)


def test_a_nested_thing_without_end_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["self"] = endless
    with pytest.raises(ContractViolation, match="document"):
        plain_document(endless)


@given(st.text(max_size=40) | st.text("ab./@-_0", max_size=12))
def test_a_key_stays_inside_or_is_refused(key: str) -> None:
    refs = Layout(Path("/store"), "main").refs
    try:
        path = refs / checked_key(key)
    except ContractViolation:
        return
    assert path != refs
    assert refs in path.parents
    assert ".." not in path.parts
    assert key.isascii()
    assert key.isprintable()
    assert key == "/".join(path.relative_to(refs).parts)


@pytest.mark.parametrize("key", ["script/interview-0123456789abcdef", "a", "a/b.c/d.json", "0/1"])
def test_usual_keys_are_taken(key: str) -> None:
    assert checked_key(key) == key


def test_a_manifest_of_version_1_stays_readable() -> None:
    manifest = Manifest.parse(decoded(VERSION_1, "here"))
    assert (manifest.generation, manifest.document) == (3, {"title": "caf\u00e9"})
