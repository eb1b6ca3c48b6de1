"""Counts instructions by callgrind, and misses of caches if asked: only those inside the calls that are named."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


def need_valgrind():
    if not shutil.which("valgrind"):
        print("valgrind is not installed")
        sys.exit(1 if os.environ.get("CI") else 77)


def events(calls, program, *args, options=()):
    """What program spends in those calls, and in all that they call, by callgrind's names: Ir are instructions."""
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out"
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no", *options,
             *(f"--toggle-collect={name}" for name in calls), program, *map(str, args)],
            capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"{args}: {run.stdout}{run.stderr}")
        said = pathlib.Path(out).read_text()
        names = re.search(r"^events: (.+)", said, re.M)[1].split()
        totals = re.search(r"^(?:totals|summary): (.+)", said, re.M)[1].split()
        return dict(zip(names, map(int, totals)))


def costs(few, many, calls, program, *args, options=()):
    """Of one of what program does as often as its last argument says: neither the start nor the warming up
    counts."""
    less, more = (events(calls, program, *args, times, options=options) for times in (few, many))
    return {name: (more[name] - less[name]) / (many - few) for name in more}


def cost(few, many, calls, program, *args):
    """The same, instructions alone."""
    return costs(few, many, calls, program, *args)["Ir"]
