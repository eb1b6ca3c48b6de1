#!/usr/bin/env python3
"""Prints the C of a page, all its blocks as one source: what the page shows is what is compiled.

    blocks.py PAGE
"""
import re
import sys

with open(sys.argv[1], encoding="utf-8") as page:
    text = page.read()
blocks = re.findall(r"^```c\n(.*?)^```$", text, flags=re.S | re.M)
assert blocks, f"{sys.argv[1]} shows no C"
print(f"/* From {sys.argv[1].rpartition('docs/')[2]}. */\n" + "\n".join(blocks), end="")
