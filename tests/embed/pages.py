#!/usr/bin/env python3
"""Compiles each block of C in some pages, alone.

    pages.py INCLUDE CC PAGE...
"""

import re
import subprocess
import sys

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-Wno-unused-function"]


def main():
    include, cc, *pages = sys.argv[1:]
    for page in pages:
        with open(page, encoding="utf-8") as file:
            blocks = re.findall(r"^```c\n(.*?)^```$", file.read(), flags=re.S | re.M)
        assert blocks, f"{page} has no C"
        for block in blocks:
            subprocess.run([*cc.split(), *STRICT, f"-I{include}", "-fsyntax-only", "-xc", "-"],
                           input=block, text=True, check=True)
        print(f"{page}: {len(blocks)}")


if __name__ == "__main__":
    main()
