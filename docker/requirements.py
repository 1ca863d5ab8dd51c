"""Print what ``pyproject.toml`` requires, one a line: ``requirements.py PYPROJECT [EXTRA ...]``.

Runs while the image is built, before the project's code is copied: a change of code leaves this layer as it is.
"""

import sys
import tomllib
from pathlib import Path

with Path(sys.argv[1]).open("rb") as stream:
    project = tomllib.load(stream)["project"]
lines = [*project["dependencies"]]
for extra in sys.argv[2:]:
    lines += project["optional-dependencies"][extra]
print("\n".join(lines))
