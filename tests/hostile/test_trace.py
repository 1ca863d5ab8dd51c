"""Seen from the kernel: reading a hostile file opens no connection and none of the files that it points to."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.forged import lures
from tests.project import SOURCE
from tests.system_packages import program

pytestmark = pytest.mark.system

CODE = (sys.prefix, sys.base_prefix, str(SOURCE))
READ = """
import sys
from pathlib import Path
from contracts.errors import ProviderRejected
from providers._media.opening import open_media
from providers._media.stills import read_picture
from providers._media.survey import survey
for read in (survey, read_picture, lambda path: open_media(path).__enter__()):
    try:
        read(Path(sys.argv[1]))
    except ProviderRejected as refusal:
        print(refusal)
"""


def traced(path: Path, log: Path) -> str:
    """System calls that open files or talk to the network."""
    command = [program("strace"), "-f", "-e", "trace=open,openat,socket,connect,execve", "-o", str(log)]
    subprocess.run([*command, sys.executable, "-c", READ, str(path)], cwd=SOURCE, check=True, capture_output=True)
    text = log.read_text(errors="replace")
    assert str(path) in text, "the trace sees what is read"
    return text


def opened_in(trace: str) -> set[str]:
    """Files that were opened, or tried, but for the code itself."""
    opened = set(re.findall(r'open(?:at)?\([^"]*"([^"]*)"', trace))
    return {place for place in opened if not place.startswith(CODE)}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What is opened as well when a good file is read: the libraries, and what they ask of the machine."""
    return opened_in(traced(SOURCE / "samples/presenter.png", tmp_path_factory.mktemp("usual") / "trace.txt"))


@pytest.mark.parametrize("name", list(lures("")))
@pytest.mark.parametrize("prefix", [b"", b"ID3\x03\x00\x00\x00\x00\x00\x0a" + bytes(10)], ids=["bare", "tagged"])
def test_no_socket_and_no_other_file(name: str, prefix: bytes, tmp_path: Path, usual: set[str]) -> None:
    path = tmp_path / "upload.mp4"
    path.write_bytes(prefix + lures("127.0.0.1:9")[name])
    trace = traced(path, tmp_path / "trace.txt")
    assert not re.findall(r"(?:socket|connect|execve)\(.*", trace[trace.index(str(path)) :].partition("\n")[2])
    assert opened_in(trace) - usual == {str(path)}


def test_trace_sees_a_socket(tmp_path: Path) -> None:
    """The proof proves something."""
    log = tmp_path / "trace.txt"
    code = "import socket; socket.socket().close(); open('/etc/passwd').close()"
    subprocess.run(
        [program("strace"), "-f", "-e", "trace=socket,openat", "-o", str(log), sys.executable, "-c", code], check=True
    )
    assert "socket(" in log.read_text()
    assert "/etc/passwd" in opened_in(log.read_text())
