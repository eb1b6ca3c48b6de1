#!/usr/bin/env python3
"""Line coverage of the library's folders, from the counts that a build with -Db_coverage=true has left.

    coverage.py BUILD [--least PERCENT] [--lines FILE]     FILE: its lines that nothing reached
"""
import argparse
import collections
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HELD = ("h1", "h2", "buf", "link", "exchange", "worker")  # must reach the least


def counts(build):
    """{source: {line: runs}} of lib/, added up over the objects that have it."""
    files = collections.defaultdict(collections.Counter)
    notes = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(build, "lib"))
             for name in names if name.endswith(".gcno")]
    for note in notes:
        said = subprocess.run(["gcov", "--json-format", "--stdout", note], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, cwd=build, check=True).stdout
        for document in said.decode().splitlines():
            for file in json.loads(document)["files"]:
                path = os.path.relpath(os.path.join(build, file["file"]), ROOT)
                if not path.startswith("lib/"):
                    continue
                for line in file["lines"]:
                    files[path][line["line_number"]] += line["count"]
    return files


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--least", type=float, default=90)
    parser.add_argument("--lines")
    options = parser.parse_args()
    files = counts(os.path.abspath(options.build))
    if options.lines:
        with open(os.path.join(ROOT, options.lines), encoding="utf-8") as source:
            for number, text in enumerate(source, 1):
                if files[options.lines].get(number, 1) == 0:
                    print(f"{number:5} {text}", end="")
        return 0
    folders = collections.defaultdict(lambda: [0, 0])
    for path in sorted(files):
        reached = sum(1 for runs in files[path].values() if runs > 0)
        percent = 100 * reached / len(files[path])
        folder = path.split("/")[1]
        folders[folder][0] += reached
        folders[folder][1] += len(files[path])
        if percent < options.least:
            print(f"  {path:30} {percent:5.1f} %  of {len(files[path])} lines")
    low = 0
    for folder, (reached, lines) in sorted(folders.items()):
        percent = 100 * reached / lines
        is_low = folder in HELD and percent < options.least
        low += is_low
        print(f"lib/{folder:26} {percent:5.1f} %  of {lines} lines" + (" TOO LOW" if is_low else ""))
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
