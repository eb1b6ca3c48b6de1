#!/usr/bin/env python3
"""Every cell of docs/end-states.md names a script that is there, and every script is named."""
import pathlib
import re
import sys

folder, page = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).read_text()
played = page[page.index("## What the client does"):]
lines = played.splitlines()
bad = []
for i, line in enumerate(lines):
    is_head = i + 1 < len(lines) and lines[i + 1].startswith("|---")
    if not line.startswith("|") or line.startswith("|---") or is_head:
        continue
    for cell in [cell.strip() for cell in line.strip("|").split("|")][1:]:
        if cell != "-" and "`" not in cell:
            bad.append(f"docs/end-states.md: no script is named for: {cell}")
named = set(re.findall(r"`([a-z0-9-]+)`", played))
there = {path.stem for path in folder.glob("*.gwt")}
bad += [f"docs/end-states.md names {name}: there is no tests/proto/{name}.gwt"
        for name in sorted(named - there)]
bad += [f"tests/proto/{name}.gwt is in no list of docs/end-states.md"
        for name in sorted(there - named)]
print("\n".join(bad + [f"{len(there)} scripts"]))
sys.exit(1 if bad else 0)
