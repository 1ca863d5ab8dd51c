"""Files become plain values with lines; whatever is ambiguous or hostile is refused in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.errors import ConfigError
from sparkle_dagster.yaml_file import MAX_DEPTH, MAX_SIZE_BYTES, load_document, parse_document
from tests.contracts.strategies import JSON_VALUES

DOCUMENT = """\
# a comment
name: first
settings:
  size: 3000
  hosts: [one, two]
nodes:
  - id: a
    note: |
      several
      lines
  - id: b
    "odd key": {x: {y: 1}}
"""


def test_values_are_plain_and_have_their_line() -> None:
    document = parse_document(DOCUMENT, "configs/a.yaml")
    assert document.data == {
        "name": "first",
        "settings": {"size": 3000, "hosts": ["one", "two"]},
        "nodes": [{"id": "a", "note": "several\nlines\n"}, {"id": "b", "odd key": {"x": {"y": 1}}}],
    }
    assert type(document.data["name"]) is str
    assert type(document.data["settings"]["size"]) is int
    assert document.line_of(("name",)) == 2
    assert document.line_of(("settings", "hosts", 1)) == 5
    assert document.line_of(("nodes", 0)) == 7
    assert document.line_of(("nodes", 1, "odd key", "x", "y")) == 12


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("settings", "hosts", 9), 5),
        (("settings", "gone", "deeper"), 3),
        (("nodes", 1, "task"), 11),
        (("gone",), 2),
        ((), 2),
    ],
)
def test_a_place_that_is_not_there_has_the_line_of_its_nearest_parent(path: tuple[str | int, ...], line: int) -> None:
    assert parse_document(DOCUMENT, "a.yaml").line_of(path) == line


def test_an_error_of_a_document_names_file_and_line() -> None:
    error = parse_document(DOCUMENT, "configs/a.yaml").error("too low", ("settings", "size"))
    assert str(error) == "configs/a.yaml:4: too low"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1_000", "1_000"),
        ("10:30", "10:30"),
        ("2024-01-02", "2024-01-02"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("'~'", "~"),
        ("1.2.3", "1.2.3"),
        ("${SPARKLE_HOME}/store", "${SPARKLE_HOME}/store"),
    ],
)
def test_a_plain_value_means_what_yaml_1_2_says(text: str, value: object) -> None:
    found = parse_document(f"key: {text}\n", "a.yaml").data["key"]
    assert found == value
    assert type(found) is type(value)


REFUSED = {
    "a: 1\nb: 2\na: 3": (3, "duplicate key 'a'; it stands first on line 1"),
    "a:\n  b: 1\n  b: 1": (3, "duplicate key 'b'; it stands first on line 2"),
    "a: 1\nb: &x 2": (2, "anchors are not allowed, got &x; write the value where it is used"),
    "b: &x {c: 1}": (1, "anchors are not allowed, got &x; write the value where it is used"),
    "a: 1\nb: *x": (2, "aliases are not allowed, got *x; write the value out"),
    "a: 1\n<<: {b: 2}": (2, "merge keys (<<) are not allowed; write the keys out"),
    "a: !!python/name:os.system x": (1, "tags are not allowed, got tag:yaml.org,2002:python/name:os.system"),
    "a: !x {b: 1}": (1, "tags are not allowed, got !x"),
    "a: 1\n2: b": (2, "expected text as a key, got 2; put it in quotes"),
    "true: b": (1, "expected text as a key, got true; put it in quotes"),
    "? [a]\n: b": (1, "expected text as a key, got a list or mapping"),
    ": b": (1, "expected text as a key, got nothing; put it in quotes"),
    "- a\n- b": (1, "expected a mapping at the top, got a list"),
    "hello": (1, "expected a mapping at the top, got the value 'hello'"),
    "": (1, "expected a mapping at the top, got an empty file"),
    "# only a comment": (1, "expected a mapping at the top, got an empty file"),
    "a: 1\n---\nb: 2": (2, "expected one document in the file, got a second one"),
    "%YAML 1.1\n---\na: 1": (2, "expected YAML 1.2 without directives"),
    "a: .nan": (1, "expected a finite number, got .nan; put it in quotes if it is a text"),
    "a: 1e999": (1, "expected a number that fits, got one of 5 characters"),
    f"a: {'9' * 5000}": (1, "expected a number that fits, got one of 5000 characters"),
    "a: 1\nb: [1\nc: 2": (3, "not YAML: while parsing a flow sequence, expected ',' or ']', but got ':' (column 2)"),
    "a: b: c": (1, "not YAML: mapping values are not allowed here (column 5)"),
    "a: 1\nb: @x": (
        2,
        "not YAML: while scanning for the next token, found character '@' that cannot start any token (column 4)",
    ),
    "a: 1\nb: \x07": (2, "not YAML: the character U+0007 is not allowed"),
    f"a: {'[' * 500}": (1, f"expected at most {MAX_DEPTH} levels, got more"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_allowed_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_document(text, "a.yaml")
    assert (caught.value.file, caught.value.line, caught.value.message) == ("a.yaml", *REFUSED[text])


REFUSED_JSON = {
    '{"a": 1,\n"a": 2}': (2, "duplicate key 'a'; it stands first on line 1"),
    '{"a": 1,\nb: 2}': (2, "expected JSON: Expecting property name enclosed in double quotes (column 1)"),
    "a: 1": (1, "expected JSON: Expecting value (column 1)"),
    '{"a": 1} x': (1, "expected JSON: Extra data (column 10)"),
    '{"a": NaN}': (None, "expected a finite number, got NaN"),
    '{"a": 1,\n "b": 1e999}': (2, "expected a number that fits, got one of 5 characters"),
    "[1]": (1, "expected a mapping at the top, got a list"),
    '{"a": ' + "[" * 50 + "]" * 50 + "}": (1, f"expected at most {MAX_DEPTH} levels, got more"),
    '{"a": ' + "[" * 100_000: (None, f"expected at most {MAX_DEPTH} levels, got more"),
    '{"a": 1,\n "b": "\\ud800"}': (2, "expected text, got half of a surrogate pair"),
}


@pytest.mark.parametrize("text", REFUSED_JSON, ids=lambda text: text[:20])
def test_json_is_read_as_strictly(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_document(text, "a.json", is_json=True)
    assert (caught.value.file, caught.value.line, caught.value.message) == ("a.json", *REFUSED_JSON[text])


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(st.text(max_size=5), JSON_VALUES, max_size=4), st.sampled_from([None, 1, "\t"]))
@example({"a/b": "\\/ \t \U0001f600 \x7f \u2028 \ufeff"}, "\t")
def test_any_json_object_is_read_as_json_reads_it(data: dict[str, Any], indent: int | str | None) -> None:
    text = json.dumps(data, indent=indent)
    assert parse_document(text, "a.json", is_json=True).data == json.loads(text)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text(alphabet="ab1:-[]{}'\"\\#&*!|>%@?, \n\t\x00\ud800~<.eUx", max_size=25))
@example('a: "\\UFFFFFFFF"')
@example('a: "\\ud800"')
@example("a: ! 1")
def test_any_text_is_a_document_or_a_config_error(text: str) -> None:
    for is_json in (False, True):
        try:
            found: object = parse_document(text, "a.yaml", is_json=is_json).data
        except ConfigError as error:
            found = str(error).splitlines()[0] == str(error)
        assert found is not False
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_file_is_named_as_the_user_would_type_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").mkdir()
    path = write(tmp_path / "configs" / "a.yaml", b"a: 1\n")
    assert load_document(path).file == str(path)
    monkeypatch.chdir(tmp_path)
    assert load_document(path).file == "configs/a.yaml"
    assert load_document(Path("configs/a.yaml")).file == "configs/a.yaml"


def test_json_may_begin_with_a_byte_order_mark_and_hold_tabs(tmp_path: Path) -> None:
    text = '\ufeff\t{\t"a"\t:\t[\t1\t,\t{\t}\t]\t,\r\n\t"b"\t:\n\t\tnull\t}\t\n'
    document = load_document(write(tmp_path / "a.json", text.encode()))
    assert document.data == {"a": [1, {}], "b": None}
    assert document.line_of(("b",)) == 2


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    document = load_document(write(tmp_path / "a.yaml", "\ufeffa: é\r\nb: 2\r\n".encode()))
    assert document.data == {"a": "é", "b": 2}
    assert document.line_of(("b",)) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.yaml", b"a: 1\nb: \xff\n", "a.yaml:2: expected UTF-8 text, got other bytes"),
        ("a.yaml", b"#" * (MAX_SIZE_BYTES + 1), "a.yaml: expected at most 1,048,576 bytes, got more"),
        ("a.JSON", b"a: 1", "a.JSON:1: expected JSON: Expecting value (column 1)"),
    ],
    ids=["bytes", "size", "json"],
)
def test_a_bad_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_document(write(tmp_path / name, content))
    assert str(caught.value) == message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml: cannot read the file: No such file or directory"):
        load_document(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match="cannot read the file: Is a directory"):
        load_document(tmp_path)
