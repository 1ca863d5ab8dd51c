"""Programs of the machine that `make test-system` needs, and their packages; installs what is missing where it may.

    python -m tests.system_packages

Exit code 1, with the command that installs them, where it may not.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "strace": "strace",
    "chromium": "chromium",
    "postgres": "postgresql",
    "prometheus": "prometheus",
    "nginx": "nginx-light",
}
"""Program -> its package on Debian and Ubuntu."""
OFF_THE_PATH = ("/usr/lib/postgresql/*/bin",)
"""Folders that Debian keeps off the search path."""


def program(name: str) -> Path:
    """Where a program is. Raises: FileNotFoundError: it is not installed; the message has the command that mends it."""
    folders = [str(path) for pattern in OFF_THE_PATH for path in sorted(Path("/").glob(pattern[1:]), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join([*folders, *os.get_exec_path()]))
    if found is None:
        raise FileNotFoundError(f"{name} is needed: {command([PACKAGES[name]])}")
    return Path(found)


def missing() -> list[str]:
    """Packages of the programs that are not here."""
    found: list[str] = []
    for name, package in PACKAGES.items():
        try:
            program(name)
        except FileNotFoundError:
            found.append(package)
    return found


def command(packages: list[str]) -> str:
    return f"apt-get install --no-install-recommends {' '.join(packages)}"


def main() -> int:
    needed = missing()
    if needed and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {' '.join(needed)} ...", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=quiet, check=False)
        subprocess.run([*command(needed).split(), "-qq", "--yes"], env=quiet, check=False, stdout=subprocess.DEVNULL)
        needed = missing()
    if needed:
        print(f"needed by the system tests: sudo {command(needed)}", file=sys.stderr)
    return 1 if needed else 0


if __name__ == "__main__":
    sys.exit(main())
