"""What looking up a route costs among 100 and among 100,000, in instructions: at most twice as much.

    route.py PROGRAM [--times]       --times: nanoseconds too
"""
import resource
import subprocess
import sys

import counted

KINDS = "hosts", "paths"
FEW, MANY = 1000, 5000
LOOKS = 3000000


def seconds(*command):
    """Of the processor, the least of some runs."""
    least = float("inf")
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run([*map(str, command)], capture_output=True, check=True)
        least = min(least, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return least


def nanoseconds(program, kind, routes):
    looks = program, kind, routes, LOOKS
    return (seconds(*looks) - seconds(*looks, "none")) / LOOKS * 1e9


def main():
    program = sys.argv[1]
    counted.need_valgrind()
    offences = 0
    for kind in KINDS:
        few, many = (counted.cost(FEW, MANY, ["gw_route_tree_find"], program, kind, routes)
                     for routes in (100, 100000))
        print(f"{kind:8}{few:8.0f}{many:8.0f} instructions")
        if few <= 0 or many > 2 * few:
            offences += 1
            print(f"{kind}: a look among 100,000 costs more than twice one among 100")
        if "--times" in sys.argv:
            few, many = (nanoseconds(program, kind, routes) for routes in (100, 100000))
            print(f"{kind:8}{few:8.0f}{many:8.0f} ns")
    sys.exit(1 if offences else 0)


main()
