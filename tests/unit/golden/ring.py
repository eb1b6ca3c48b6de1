#!/usr/bin/env python3
"""The keys of docs/balancing.md and where they go, worked out without the library: XXH64 as its
specification has it, a sorted list, and a search.

    ring.py FILE           compare with the file
    ring.py FILE --write   write it
"""

import bisect
import pathlib
import sys

P1, P2, P3, P4, P5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
                      0x27D4EB2F165667C5)
MASK = (1 << 64) - 1


def rotl(x, n):
    return (x << n | x >> (64 - n)) & MASK


def lane(acc, word):
    return rotl((acc + word * P2) & MASK, 31) * P1 & MASK


def xxh64(text, seed=0):
    at, end = 0, len(text)
    word = lambda size: int.from_bytes(text[at:at + size], "little")
    if end >= 32:
        accs = [(seed + P1 + P2) & MASK, (seed + P2) & MASK, seed, (seed - P1) & MASK]
        while at + 32 <= end:
            for i in range(4):
                accs[i] = lane(accs[i], word(8))
                at += 8
        h = sum(rotl(acc, n) for acc, n in zip(accs, (1, 7, 12, 18))) & MASK
        for acc in accs:
            h = ((h ^ lane(0, acc)) * P1 + P4) & MASK
    else:
        h = (seed + P5) & MASK
    h = (h + end) & MASK
    while at + 8 <= end:
        h = (rotl(h ^ lane(0, word(8)), 27) * P1 + P4) & MASK
        at += 8
    if at + 4 <= end:
        h = (rotl(h ^ (word(4) * P1 & MASK), 23) * P2 + P3) & MASK
        at += 4
    while at < end:
        h = rotl(h ^ (text[at] * P5 & MASK), 11) * P1 & MASK
        at += 1
    h = (h ^ h >> 33) * P2 & MASK
    h = (h ^ h >> 29) * P3 & MASK
    return h ^ h >> 32


def points_of(weights):
    """256 for each unit of weight, which is the greatest power of ten that the greatest weight reaches."""
    unit = 10 ** (len(str(max(weights))) - 1)
    return [max(1, (2 * 256 * weight + unit) // (2 * unit)) for weight in weights]


class Ring:
    def __init__(self, endpoints):
        """endpoints: (name, weight)"""
        points = points_of([weight for _, weight in endpoints])
        self.points = sorted((xxh64(name.encode() + i.to_bytes(4, "little")), name)
                             for (name, _), n in zip(endpoints, points) for i in range(n))
        self.hashes = [point for point, _ in self.points]

    def owner(self, key):
        return self.points[bisect.bisect_left(self.hashes, key) % len(self.points)][1]


HEAD = """\
# Where 1,000 keys go, whatever the machine. A line: the key, XXH64 of it, its endpoint among svc-a, svc-b
# and svc-c with weights 100, 100 and 200, its endpoint among 10.0.0.1:80 to 10.0.0.10:80 with equal weights,
# and its endpoint among svc-a to svc-e with weights 100, 250, 155, 9 and 1. Written by
# tests/unit/golden/ring.py.
"""


def golden():
    weighted = Ring([("svc-a", 100), ("svc-b", 100), ("svc-c", 200)])
    equal = Ring([(f"10.0.0.{i}:80", 1) for i in range(1, 11)])
    uneven = Ring([("svc-a", 100), ("svc-b", 250), ("svc-c", 155), ("svc-d", 9), ("svc-e", 1)])
    lines = []
    for i in range(1000):
        # Of all lengths that the hash treats in a way of its own.
        key = f"key-{i}" + "-longer" * (i % 11)
        value = xxh64(key.encode())
        lines.append(f"{key} {value:016x} {weighted.owner(value)} {equal.owner(value)} "
                     f"{uneven.owner(value)}\n")
    return HEAD + "".join(lines)


def main():
    assert xxh64(b"") == 0xEF46DB3751D8E999 and xxh64(b"abc") == 0x44BC2CF5AD770999
    path = pathlib.Path(sys.argv[1])
    if "--write" in sys.argv:
        path.write_text(golden())
    elif path.read_text() != golden():
        sys.exit(f"{path} is not what ring.py works out")


if __name__ == "__main__":
    main()
