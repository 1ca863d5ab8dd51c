"""Finds what belongs into ``configs/``: hosts, ports, URLs, buckets, absolute paths and model files."""

import re
from dataclasses import dataclass
from fnmatch import fnmatch

SCANNED = (
    "*.py", "*.ipynb", "*.md", "*.toml", "*.html", "*.sh", "*.yaml", "*.yml", "*.cfg", "*.ini",
    "Makefile", "*/Makefile", "*Dockerfile*", ".env_sample", ".ci/run",
)  # fmt: skip
"""Files that a person writes; ``*`` also crosses folders."""

EXEMPT = {
    "configs/*": "the place for them",
    "tests/architecture/literals.py": "the patterns themselves",
    "tests/architecture/test_literals.py": "plants one of each kind",
}

KINDS: dict[str, re.Pattern[str]] = {
    "URL": re.compile(r"\b[a-z][a-z0-9+.-]*://(?![{$<%])[^\s\"'`<>)\]]+", re.IGNORECASE),
    "host": re.compile(
        r"\blocalhost\b|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])|(?<![\w:])::1(?![\w:])"
        r"|(?<![\w@/.-])(?:[a-z0-9-]+\.)+(?:com|net|org|cloud|internal)(?![\w.-]|\()",
        re.IGNORECASE,
    ),
    "port": re.compile(
        r"(?<![a-z])_?ports?[\"'\]\\]{0,3}\s*(?::\s*int\s*)?[=: (\[]{1,4}[\"'\\]{0,2}\d{2,5}\b", re.IGNORECASE
    ),
    "bucket": re.compile(
        r"bucket(?:_name)?[\"'\]\\]{0,3}\s*(?::\s*str\s*)?[=:]\s*\\?[\"'](?![{$<])\w|\bbucket:\s*(?!str\b)[a-z0-9][\w-]*-[\w-]+",
        re.IGNORECASE,
    ),
    "absolute path": re.compile(
        r"(?<![\w.$}>/~*-])/(?:home|root|work|tmp|usr|opt|var|mnt|etc|srv|data|Users|models|workspace)/[\w.{$-][^\s\"'`,)\]]*"
        r"|(?<![\w.$}>/~*-])/(?:tmp|root)\b(?!/)|(?<=[\"'`\s=])~/[\w.][^\s\"'`,)]*|\b[A-Z]:\\{1,2}\w"
    ),
    "model file": re.compile(r"[\w}/*.-]+\.(?:pth|pt|onnx|ckpt|safetensors|gguf|tflite|t7|caffemodel)\b(?!\()"),
}


@dataclass(frozen=True)
class Allowed:
    """A literal that may stand where it does, and why."""

    files: str
    text: str
    """Regular expression for the whole literal found."""
    reason: str


@dataclass(frozen=True)
class Literal:
    file: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind} {self.text!r} belongs into configs/"


ALLOWED = (
    Allowed("*", r"https?://www\.w3\.org/.*", "names of XML vocabularies, and links to standards"),
    Allowed("*", r"www\.w3\.org", "the same"),
    Allowed("*", r"https://json-schema\.org/draft/.*", "the name of the schema language"),
    Allowed("*.md", r"https://(www\.apache\.org/licenses|keepachangelog\.com|semver\.org)/.*", "licence, conventions"),
    Allowed("*.md", r"https://docs\.dagster\.io/.*", "the engine's own documentation"),
    Allowed("samples/SOURCES.md", r"https://.*", "where the samples were taken from"),
    Allowed("*", r"/usr/bin/env", "the first line of a script"),
    Allowed("docker/*", r"127\.0\.0\.1", "containers are published on this machine alone"),
    Allowed("tests/*", r"/etc/passwd|~/a", "a hostile path that must be refused"),
    Allowed("tests/*", r"(https?://)?(127\.0\.0\.1|localhost)(:\{.*)?", "a service that the test itself starts here"),
    Allowed("tests/*", r"[\w./{}-]+\.pth", "a made-up checkpoint that the test itself writes, or misses"),
    Allowed("tests/*", r"port: 30[03]0", "a shipped value, which a test replaces by a free one"),
    Allowed("tests/*", r"http://(elsewhere|studio\.example)", "a site that a test pretends to be"),
    Allowed(
        "tests/*/test_guard.py", r"http://\[::1|::1|0\.0\.0\.0", "what a request or a setting claims; nobody listens"
    ),
    Allowed(
        "sparkle_dagster/observability/service/guard.py",
        "localhost",
        "what browsers call this machine; compared with, never connected to",
    ),
    Allowed("tests/*", r"port: 70000", "no port at all: a test sees it refused"),
    Allowed("tests/system_packages.py", r"/usr/lib/postgresql/\*/bin", "where Debian keeps PostgreSQL's programs"),
    Allowed("tests/*", r"/usr/bin:/bin", "a search path that a test gives to a process"),
    Allowed("tests/*", r"yaml\.org", "the name of YAML's own tags"),
    Allowed("*", r"nvidia\.com", "how Kubernetes names a GPU among a pod's resources"),
)


def is_scanned(file: str) -> bool:
    return any(fnmatch(file, pattern) for pattern in SCANNED) and not any(fnmatch(file, name) for name in EXEMPT)


def find_literals(file: str, text: str) -> list[Literal]:
    """What ``text``, the content of ``file``, holds and may not."""
    found = [
        Literal(file, number, kind, match[0].strip())
        for number, line in enumerate(text.splitlines(), start=1)
        for kind, match in _matches(line)
    ]
    return [literal for literal in found if not _is_allowed(literal)]


def _matches(line: str) -> list[tuple[str, re.Match[str]]]:
    """A host or path inside a URL is part of the URL."""
    urls = list(KINDS["URL"].finditer(line))
    spans = [match.span() for match in urls]
    rest = [
        (kind, match)
        for kind, pattern in KINDS.items()
        if kind != "URL"
        for match in pattern.finditer(line)
        if not any(start <= match.start() < end for start, end in spans)
    ]
    return [("URL", match) for match in urls] + rest


def _is_allowed(literal: Literal) -> bool:
    if literal.kind == "port" and literal.file.startswith("docker/"):
        return True  # a container publishes its ports; everything else takes them from the registry
    return any(fnmatch(literal.file, rule.files) and re.fullmatch(rule.text, literal.text) for rule in ALLOWED)
