"""``python -m contracts.schemas``: write the JSON Schemas."""

from contracts.schemas import FOLDER, write_schemas

if __name__ == "__main__":
    changed = write_schemas()
    print(f"{FOLDER}: {len(changed)} file(s) changed", *changed, sep="\n  ")
