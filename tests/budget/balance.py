"""What a pick costs with 10 endpoints and with 1,000, in instructions: with a hundred times as many at most
twice as much. One in eight is not available, so that what is passed over counts too.

    balance.py PROGRAM
"""
import sys

import counted

POLICIES = "round_robin", "consistent_hash", "least_request", "random"
FEW, MANY = 1000, 5000


def main():
    counted.need_valgrind()
    offences = 0
    for policy in POLICIES:
        ten, thousand = (counted.cost(FEW, MANY, ["gw_balance_pick"], sys.argv[1], policy, endpoints)
                         for endpoints in (10, 1000))
        print(f"{policy:16}{ten:8.0f}{thousand:8.0f}")
        if ten <= 0 or thousand > 2 * ten:
            offences += 1
            print(f"{policy}: a pick among 1,000 costs more than twice one among 10")
    sys.exit(1 if offences else 0)


main()
