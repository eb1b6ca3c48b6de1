#!/usr/bin/env python3
"""Every row of the pages below names tests that are there, and docs/threat-model.md names every
attack and every honest client of tests/unit/abuse_test.c.

    threats.py SOURCE_ROOT

A name is that of a script, `client-stalls-h1`, or `FILE: NAME`: a test, or a row in a test's table.
"""
import pathlib
import re
import sys

ATTACKS = "tests/unit/abuse_test.c"
root = pathlib.Path(sys.argv[1])
PAGES = ["docs/threat-model.md", "docs/reload.md", "docs/trouble.md"]
page = (root / PAGES[0]).read_text()
bad, named = [], set()


def is_there(name):
    if ": " not in name:
        return (root / "tests" / "proto" / f"{name}.gwt").is_file()
    path, _, test = name.partition(": ")
    if not (root / path).is_file():
        return False
    text = (root / path).read_text()
    return f'"{test}"' in text or f"START_TEST({test})" in text or f"def {test}(" in text


def take(place, text):
    names = re.findall(r"`([^`]+)`", text.replace("\n", " "))
    named.update(names)
    if not names:
        bad.append(f"{place}: no test is named")
    for name in names:
        if not is_there(name):
            bad.append(f"{place}: there is no {name}")


rows, is_table = 0, False
for path in PAGES:
    for number, line in enumerate((root / path).read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            is_table = False
        elif cells[-1] == "Test":
            is_table = True
        elif is_table and not line.startswith("|---"):
            rows += 1
            take(f"{path}:{number}", cells[-1])
take("docs/threat-model.md, Honest clients", page[page.index("## Honest clients"):])
tables = re.findall(r"(?:attacks|honest)\[\] = \{(.*?)\n\};", (root / ATTACKS).read_text(), re.S)
for table in tables:
    for name in re.findall(r'^    \{ "([^"]+)"', table, re.M):
        if f"{ATTACKS}: {name}" not in named:
            bad.append(f"docs/threat-model.md does not name {ATTACKS}: {name}")
if len(tables) != 2:
    bad.append(f"{ATTACKS}: its two tables are not found")
print("\n".join(bad + [f"{rows} rows, {len(named)} tests"]))
sys.exit(1 if bad else 0)
