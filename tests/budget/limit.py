"""What it costs to ask a limiter, in instructions: one bucket for all, one for each key of a table, a ceiling
on what is in flight.

    limit.py PROGRAM
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MOST = {"one": 60, "keyed": 140, "ceiling": 100}
FEW, MANY = 1000, 5000


def instructions(program, kind, takes):
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out"
        subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no",
             "--toggle-collect=gw_limit_take", program, kind, str(takes)],
            capture_output=True, check=True)
        total = re.search(r"^(?:totals|summary): (\d+)", pathlib.Path(out).read_text(), re.M)
        return int(total[1])


def main():
    program = sys.argv[1]
    if not shutil.which("valgrind"):
        print("valgrind is not installed")
        sys.exit(1 if os.environ.get("CI") else 77)
    offences = 0
    for kind, most in MOST.items():
        cost = (instructions(program, kind, MANY) - instructions(program, kind, FEW)) / (MANY - FEW)
        print(f"{kind:16}{cost:8.0f}")
        if not 0 < cost <= most:
            offences += 1
            print(f"{kind}: a take may cost {most} instructions")
    sys.exit(1 if offences else 0)


main()
