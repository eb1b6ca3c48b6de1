"""Instructions and allocator calls a request, against budgets.txt.

    budget.py PROGRAM BUDGETS            compare
    budget.py PROGRAM BUDGETS --update   write what is measured now

PROGRAM is budget.c with the library, of gcc at -O3. Instructions are those inside the library's calls,
by callgrind; the cost of a request is the difference between two runs of different length, so that
neither the start nor the warming up counts.
"""
import pathlib
import subprocess
import sys

import counted

SHAPES = "h1-h1", "h1-h2", "h2-h1", "h2-h2", "grpc", "h1-h1-all", "grpc-all"
ENTRIES = ("gw_worker_step", "gw_bytes_next", "gw_link_room", "gw_link_received", "gw_link_unsent",
           "gw_link_sent", "gw_link_connected")
FEW, MANY = 64, 192
# Another release of gcc, of the C library or of nghttp2 costs a little more or less.
TOLERANCE = 0.05
# What all policies together add to a request.
POLICIES_MOST = 0.08

HEAD = """# What a request may cost: instructions of user space in the library, all that it calls included, and
# calls of the allocator in {n} requests. A shape is the client's protocol and the upstream's.
# More than {percent} % over a budget fails, and so does so much less, that the budget follows.
# Written by: ./dev budgets update
"""


def allocations(program, shape):
    run = subprocess.run([program, shape, str(MANY)], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{shape}: {run.stdout}{run.stderr}")
    return int(run.stdout)


def measure(program):
    for shape in SHAPES:
        yield shape, int(counted.cost(FEW, MANY, ENTRIES, program, shape)), allocations(program, shape)


def read_budgets(path):
    lines = [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]
    return {shape: (int(cost), int(calls)) for shape, cost, calls in lines}


def differs(got, budget):
    return abs(got - budget) > budget * TOLERANCE


def main():
    program, path = sys.argv[1], pathlib.Path(sys.argv[2])
    counted.need_valgrind()
    found = list(measure(program))
    if "--update" in sys.argv:
        text = HEAD.format(n=MANY, percent=round(TOLERANCE * 100))
        text += "".join(f"{shape:12}{cost:8}{calls:6}\n" for shape, cost, calls in found)
        path.write_text(text)
        print(text, end="")
        return
    budgets, offences = read_budgets(path), 0
    for shape, cost, calls in found:
        most_cost, most_calls = budgets[shape]
        print(f"{shape:12}{cost:8} of {most_cost}, allocator {calls} of {most_calls}")
        if differs(cost, most_cost) or differs(calls, most_calls):
            offences += 1
            print(f"{shape}: not what {path.name} says; if that is meant: ./dev budgets update")
    costs = {shape: cost for shape, cost, _ in found}
    for shape in costs:
        if f"{shape}-all" in costs and costs[f"{shape}-all"] > costs[shape] * (1 + POLICIES_MOST):
            offences += 1
            print(f"{shape}: all policies add more than {POLICIES_MOST:.0%}")
    sys.exit(1 if offences else 0)


main()
