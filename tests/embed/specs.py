#!/usr/bin/env python3
"""GW_SPEC for every sized struct of the public headers, in C99 and in C++11 to C++20: a program that
a host may compile with every warning on, and that says when a struct does not begin as it must.

    specs.py INCLUDE CC CXX
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-pedantic-errors", "-Wconversion", "-Wshadow", "-Wundef",
          "-Wmissing-field-initializers", "-Werror"]

BEGIN = """\
#include <stdio.h>
#include <string.h>
%s
/* Zero, but for its size: what lies behind it, as the library reads it. */
static int is_begun(const void *spec, size_t size)
{
    const unsigned char *bytes = static_cast_(const unsigned char *, spec);
    uint32_t said;
    memcpy(&said, spec, sizeof said);
    for (size_t i = sizeof said; i < size; i++)
        if (bytes[i] != 0)
            return 0;
    return said == size;
}

int main(void)
{
    int wrong = 0;
"""


def program(names, is_cpp):
    # A host in C++ may well include it like this.
    include = 'extern "C" {\n#include <gw/gw.h>\n}\n' if is_cpp else "#include <gw/gw.h>\n"
    cast = "#define static_cast_(type, x) " + ("static_cast<type>(x)\n" if is_cpp else "(x)\n")
    lines = [include + cast + BEGIN % ""]
    for name in names:
        lines.append(f"    {name} {name[3:]}_ = GW_SPEC({name});\n"
                     f"    if (!is_begun(&{name[3:]}_, sizeof {name[3:]}_)) {{\n"
                     f'        puts("{name}");\n        wrong = 1;\n    }}\n')
    return "".join(lines) + "    return wrong;\n}\n"


def main():
    include, cc, cxx = sys.argv[1:]
    text = "".join(path.read_text() for path in sorted(pathlib.Path(include, "gw").glob("*.h")))
    names = re.findall(r"^typedef struct (gw_\w+) \{\n    uint32_t size\b", text, flags=re.M)
    assert len(names) >= 20 and "gw_env" in names, names
    tried = 0
    with tempfile.TemporaryDirectory() as folder:
        for compilers, suffix, standards in (((cc, "gcc", "clang"), "c", ("c99", "c11")),
                                             ((cxx, "g++", "clang++"), "cpp",
                                              ("c++11", "c++17", "c++20"))):
            source = os.path.join(folder, f"specs.{suffix}")
            pathlib.Path(source).write_text(program(names, suffix == "cpp"))
            for compiler in compilers:
                if not shutil.which(compiler.split()[-1]):
                    continue
                for standard in standards:
                    binary = os.path.join(folder, "specs")
                    subprocess.run([*compiler.split(), *STRICT, f"-std={standard}", f"-I{include}",
                                    source, "-o", binary], check=True)
                    run = subprocess.run([binary], stdout=subprocess.PIPE, text=True, timeout=100)
                    assert run.returncode == 0, f"not begun as GW_SPEC says: {run.stdout}"
                    tried += 1
    assert tried >= 3, "no compiler was tried"
    print(f"{len(names)} sized structs, {tried} compilers and standards")


if __name__ == "__main__":
    main()
