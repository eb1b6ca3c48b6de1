"""What a pick costs with 10 endpoints and with 1,000, in instructions: with a hundred times as many at most
twice as much. One in eight is not available, so that what is passed over counts too.

    balance.py PROGRAM
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

POLICIES = "round_robin", "consistent_hash", "least_request", "random"
FEW, MANY = 1000, 5000


def instructions(program, policy, endpoints, picks):
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out"
        subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no",
             "--toggle-collect=gw_balance_pick", program, policy, str(endpoints), str(picks)],
            capture_output=True, check=True)
        total = re.search(r"^(?:totals|summary): (\d+)", pathlib.Path(out).read_text(), re.M)
        return int(total[1])


def main():
    program = sys.argv[1]
    if not shutil.which("valgrind"):
        print("valgrind is not installed")
        sys.exit(1 if os.environ.get("CI") else 77)
    offences = 0
    for policy in POLICIES:
        ten, thousand = ((instructions(program, policy, endpoints, MANY) -
                          instructions(program, policy, endpoints, FEW)) / (MANY - FEW)
                         for endpoints in (10, 1000))
        print(f"{policy:16}{ten:8.0f}{thousand:8.0f}")
        if ten <= 0 or thousand > 2 * ten:
            offences += 1
            print(f"{policy}: a pick among 1,000 costs more than twice one among 10")
    sys.exit(1 if offences else 0)


main()
