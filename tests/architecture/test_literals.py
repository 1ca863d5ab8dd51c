"""No port, host, URL, bucket, absolute path or model file outside ``configs/``."""

import pytest

from tests.architecture.literals import ALLOWED, KINDS, find_literals, is_scanned
from tests.architecture.project_files import PROJECT, tracked_files


@pytest.mark.requirement("S3", "S7", "S59")
def test_there_is_none_outside_configs() -> None:
    files = [file for file in tracked_files() if is_scanned(file)]
    found = [item for file in files for item in find_literals(file, (PROJECT / file).read_text(encoding="utf-8"))]
    assert not found, "\n" + "\n".join(str(item) for item in found)


def test_the_scan_reaches_every_kind_of_file() -> None:
    files = [file for file in tracked_files() if is_scanned(file)]
    for part in ("contracts/base.py", "sparkle_dagster/definitions.py", "pyproject.toml", "Makefile", "README.md"):
        assert part in files
    assert not any(file.startswith("configs/") for file in files)


PLANTED = {
    "URL": [
        'API = "https://api.example.com/v1"',
        "grpc://machine:4000",
        "see http://intranet/wiki for more",
        'client = connect("ray://head")',
        'source: "gs://my-bucket/prefix"',
    ],
    "host": [
        'host = "localhost"',
        'bind("127.0.0.1")',
        "host: 0.0.0.0",
        'host="db.internal"',
        "ping storage.googleapis.com",
        "[::1]",
    ],
    "port": [
        "port = 3000",
        "run --port 8080",
        'service["port"] = 3000',
        r'"{\"port\": 3000}"',
        "port: int = 3030",
        "on port 3000",
        "DEFAULT_PORT = 80",
        "ports: [3000]",
    ],
    "bucket": [
        'bucket = "media"',
        "bucket: my-media",
        'client.bucket_name="x"',
        '"bucket": "media"',
        r"\"bucket\": \"m\"",
    ],
    "absolute path": [
        'open("/home/me/file")',
        "cd /data/project",
        'root = "/var/lib/sparkle"',
        'Path("/tmp")',
        "`~/models`",
        'f"/opt/{name}"',
        '"C:\\\\Users"',
    ],
    "model file": ['load("wav2lip_gan.pth")', "models/face.onnx", 'f"{name}.safetensors"', "weights in `best.pt`"],
}


@pytest.mark.requirement("S7")
@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize(
    "file", ["providers/lipsync/x.py", "docs/guide.md", "Makefile", "demo.ipynb", "docker/compose.yaml"]
)
def test_a_planted_literal_is_found(kind: str, file: str) -> None:
    assert is_scanned(file)
    for planted in PLANTED[kind]:
        found = [item.kind for item in find_literals(file, f"first line\n{planted}\n") if item.line == 2]
        if file.startswith("docker/") and (kind == "port" or "127.0.0.1" in planted):
            assert found == []
        else:
            assert kind in found, planted


def test_every_kind_is_planted() -> None:
    assert PLANTED.keys() == KINDS.keys()


@pytest.mark.parametrize(
    "harmless",
    [
        'url = f"http://{service.host}:{service.port}"',
        "port: int = Field(ge=0, le=65535)",
        'service = Service(host="", port=0)',
        "from providers.video import support, report10",
        "import scipy.io",
        "a / b / tmp / c",
        "/".join(('"objects', "tmp", 'x"')),
        "${SPARKLE_HOME}/store",
        "the model.pt() call",
        "bucket: str",
        'bucket = f"{name}"',
        "version 1.13.27",
        'path("/graphql")',
        "/proc/self/status and /dev/null",
        "team@sparkle.example",
        "me@studio.com",
        "Class::1a",
        "either/or and/tmpfs",
        "</var>",
    ],
)
def test_what_only_looks_like_one_is_not_found(harmless: str) -> None:
    assert find_literals("providers/x.py", harmless) == []


@pytest.mark.parametrize("rule", ALLOWED, ids=lambda rule: rule.text)
def test_every_exception_has_a_reason(rule: object) -> None:
    assert getattr(rule, "reason", "")


def test_an_exception_holds_only_where_it_was_made() -> None:
    line = 'path = "/etc/passwd"'
    assert find_literals("tests/contracts/test_artifacts.py", line) == []
    assert len(find_literals("providers/x.py", line)) == 1
