"""What looking up a route costs among 100 and among 100,000, in instructions: at most twice as much.

    route.py PROGRAM [--times]       --times: nanoseconds too
"""
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile

KINDS = "hosts", "paths"
FEW, MANY = 1000, 5000
LOOKS = 3000000


def instructions(program, kind, routes, looks):
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out"
        subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no",
             "--toggle-collect=gw_route_tree_find", program, kind, str(routes), str(looks)],
            capture_output=True, check=True)
        total = re.search(r"^(?:totals|summary): (\d+)", pathlib.Path(out).read_text(), re.M)
        return int(total[1])


def seconds(program, *args):
    """Of the processor, the least of some runs."""
    least = float("inf")
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run([program, *map(str, args)], capture_output=True, check=True)
        least = min(least, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return least


def main():
    program = sys.argv[1]
    if not shutil.which("valgrind"):
        print("valgrind is not installed")
        sys.exit(1 if os.environ.get("CI") else 77)
    offences = 0
    for kind in KINDS:
        few, many = ((instructions(program, kind, routes, MANY) -
                      instructions(program, kind, routes, FEW)) / (MANY - FEW)
                     for routes in (100, 100000))
        print(f"{kind:8}{few:8.0f}{many:8.0f} instructions")
        if few <= 0 or many > 2 * few:
            offences += 1
            print(f"{kind}: a look among 100,000 costs more than twice one among 100")
        if "--times" in sys.argv:
            few, many = ((seconds(program, kind, routes, LOOKS) -
                          seconds(program, kind, routes, LOOKS, "none")) / LOOKS * 1e9
                         for routes in (100, 100000))
            print(f"{kind:8}{few:8.0f}{many:8.0f} ns")
    sys.exit(1 if offences else 0)


main()
