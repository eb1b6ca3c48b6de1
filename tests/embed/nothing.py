#!/usr/bin/env python3
"""Calls every function of the public headers with nothing in every argument; then with nothing for the
handles, and for all else a place that is full of zeros: each answers. What a status says must be a
misuse, unless nothing is an argument as good as any.

    nothing.py INCLUDE CC LINK_ARGUMENTS...
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

HANDLES = ["engine", "worker", "link", "exchange", "message", "pipe", "config", "builder", "loop", "listener",
           "view", "resolver", "tls"]
# To these nothing is not wrong.
FINE = {"gw_limits_footprint"}  # of zeros: every default, but the place for the answer has no size

BEGIN = """\
#include <stdio.h>
#include <gw/gw.h>

/* Zeros to point to. */
static uint64_t zeros[4096];
static int wrong;

static void is_refused(const char *call, gw_status status)
{
    if (status == GW_OK) {
        printf("%s takes nothing for something\\n", call);
        wrong = 1;
    }
}

int main(void)
{
    (void)zeros;
"""


def functions(include):
    text = "".join(path.read_text() for path in sorted(pathlib.Path(include, "gw").glob("*.h")))
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"^\s*#.*$", "", text, flags=re.M)
    for match in re.finditer(r"\bGW_API\s+([\w\s]+?[\s*]+)(gw_\w+)\s*\(([^;]*?)\)\s*(?:GW_MUST_CHECK)?\s*;", text):
        result, name, parameters = (" ".join(part.split()) for part in match.groups())
        parameters = [] if parameters == "void" else parameters.split(",")
        yield result, name, [re.sub(r"\w+$", "", p.strip()).strip() for p in parameters]


def argument(kind, has_zeros):
    bare = kind.replace("const ", "").replace(" ", "")
    if not bare.endswith("*"):
        return f"({kind}){{ 0 }}" if re.match(r"gw_(str|ticket|const_span|span)$", bare) else f"({kind})0"
    is_handle = bare in [f"gw_{h}*" for h in HANDLES]
    is_function = bare.endswith("_fn*")
    return f"({kind})zeros" if has_zeros and not is_handle and not is_function else f"({kind})0"


def program(include):
    lines, count = [BEGIN], 0
    for result, name, kinds in functions(include):
        count += 1
        for has_zeros in (False, True):
            call = f"{name}({', '.join(argument(kind, has_zeros) for kind in kinds)})"
            if result == "gw_status" and name not in FINE:
                lines.append(f'    is_refused("{name}", {call});\n')
            else:
                lines.append(f"    (void)!{call};\n" if result == "gw_status" else f"    (void){call};\n"
                             if result != "void" else f"    {call};\n")
    return "".join(lines) + "    return wrong;\n}\n", count


def main():
    include, cc, *link = sys.argv[1:]
    text, count = program(include)
    promised = pathlib.Path(include, "..", "tests", "abi", "symbols.txt").read_text().split()
    missing = [symbol for symbol in promised if f" {symbol}(" not in text and f"){symbol}(" not in text
               and f"!{symbol}(" not in text]
    assert not missing, f"not understood: {missing}"
    with tempfile.TemporaryDirectory() as folder:
        source, binary = os.path.join(folder, "nothing.c"), os.path.join(folder, "nothing")
        pathlib.Path(source).write_text(text)
        subprocess.run([*cc.split(), "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-nonnull",
                        f"-I{include}", source, "-o", binary, *link], check=True)
        run = subprocess.run([binary], stdout=subprocess.PIPE, text=True, timeout=100)
        assert run.returncode == 0, f"answers {run.returncode}: {run.stdout}"
    print(f"{count} calls answer to nothing")


if __name__ == "__main__":
    main()
