"""Counts instructions by callgrind: only those inside the calls that are named."""
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


def instructions(calls, program, *args):
    """What program spends in those calls, and in all that they call."""
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out"
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no",
             *(f"--toggle-collect={name}" for name in calls), program, *map(str, args)],
            capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"{args}: {run.stdout}{run.stderr}")
        total = re.search(r"^(?:totals|summary): (\d+)", pathlib.Path(out).read_text(), re.M)
        return int(total[1])


def cost(few, many, calls, program, *args):
    """Of one of what program does as often as its last argument says: neither the start nor the warming up
    counts."""
    return (instructions(calls, program, *args, many) -
            instructions(calls, program, *args, few)) / (many - few)
