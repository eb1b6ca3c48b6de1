#!/usr/bin/env python3
"""Every cell of docs/end-states.md names a script that is there, and every script is named."""
import pathlib
import re
import sys

folder, page = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).read_text()
rows = [line for line in page.splitlines() if line.startswith("|") or line.startswith("* `")]
named = set(re.findall(r"`([a-z0-9-]+)`", "\n".join(rows)))
there = {path.stem for path in folder.glob("*.gwt")}
for name in sorted(named - there):
    print(f"docs/end-states.md names {name}, but tests/proto/{name}.gwt is not there")
for name in sorted(there - named):
    print(f"tests/proto/{name}.gwt is in no list of docs/end-states.md")
print(f"{len(there)} scripts")
sys.exit(0 if named == there else 1)
