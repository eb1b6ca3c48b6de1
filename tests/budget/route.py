"""What looking up a route costs among 100 and among 100,000: at most twice as many instructions, and among
100,000 at most one read a look of what a cache of 4 MiB has not kept.

    route.py PROGRAM [--times]       --times: nanoseconds too, the least of some runs and the median; to
                                     read, not to hold: they are those of the caches and who shares them
"""
import statistics
import subprocess
import sys

import counted

KINDS = "hosts", "paths"
FEW, MANY = 20000, 60000
CACHES = "--cache-sim=yes", "--I1=32768,8,64", "--D1=32768,8,64", "--LL=4194304,16,64"
LOOKS = 1000000
RUNS = 11


def seconds(*command):
    said = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout
    return float(said.split()[1])


def nanoseconds(program, kind, routes):
    looks = program, kind, routes, LOOKS
    writing = min(seconds(*looks, "none") for _ in range(RUNS))
    runs = [seconds(*looks) - writing for _ in range(RUNS)]
    return [each / LOOKS * 1e9 for each in (min(runs), statistics.median(runs))]


def print_times(program, kind):
    few, many = (nanoseconds(program, kind, routes) for routes in (100, 100000))
    for name, one, other in zip(("least", "median"), few, many):
        print(f"{kind:8}{one:8.0f}{other:8.0f} ns, {name}: x {other / one:.1f}")


def main():
    program = sys.argv[1]
    counted.need_valgrind()
    offences = 0
    for kind in KINDS:
        few, many = (counted.costs(FEW, MANY, ["gw_route_tree_find"], program, kind, routes, options=CACHES)
                     for routes in (100, 100000))
        print(f"{kind:8}{few['Ir']:8.0f}{many['Ir']:8.0f} instructions; "
              f"misses among 100,000: {many['D1mr']:.1f} of 32 KiB, {many['DLmr']:.2f} of 4 MiB")
        if few["Ir"] <= 0 or many["Ir"] > 2 * few["Ir"]:
            offences += 1
            print(f"{kind}: a look among 100,000 costs more than twice one among 100")
        if many["DLmr"] > 1:
            offences += 1
            print(f"{kind}: a look among 100,000 reads more than once what is far")
        if "--times" in sys.argv:
            print_times(program, kind)
    sys.exit(1 if offences else 0)


main()
