"""What it costs to ask a limiter, in instructions: one bucket for all, one for each key of a table, a ceiling
on what is in flight.

    limit.py PROGRAM
"""
import sys

import counted

MOST = {"one": 60, "keyed": 140, "ceiling": 100}
FEW, MANY = 1000, 5000


def main():
    counted.need_valgrind()
    offences = 0
    for kind, most in MOST.items():
        cost = counted.cost(FEW, MANY, ["gw_limit_take"], sys.argv[1], kind)
        print(f"{kind:16}{cost:8.0f}")
        if not 0 < cost <= most:
            offences += 1
            print(f"{kind}: a take may cost {most} instructions")
    sys.exit(1 if offences else 0)


main()
