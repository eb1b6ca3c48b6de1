#!/usr/bin/env python3
"""The binary interface: sizes and offsets of the public structs against the golden list, and no
padding in any of them (a field added later must not land on bytes that older callers left dirty).

    abi.py layout SOURCE_ROOT CC     compares with tests/abi/layout.txt (64 bits)
    abi.py padding SOURCE_ROOT CLANG
    abi.py update SOURCE_ROOT CC     writes layout.txt anew: say in CHANGELOG.md what changed
"""

import pathlib
import re
import subprocess
import sys
import tempfile


def structs(root):
    """name -> fields, for every struct that a public header defines with its body."""
    found = {}
    for header in sorted((root / "include/gw").glob("*.h")):
        text = re.sub(r"/\*.*?\*/", " ", header.read_text(), flags=re.S)
        for match in re.finditer(r"typedef struct (gw_\w+) \{(.*?)\} \1;", text, flags=re.S):
            fields = []
            for declaration in match.group(2).split(";"):
                declaration = declaration.strip()
                if not declaration:
                    continue
                function = re.search(r"\(\*(\w+)\)\s*\(", declaration)
                if function:
                    fields.append(function.group(1))
                else:
                    first, *more = declaration.split(",")
                    for part in [first, *more]:
                        fields.append(re.search(r"(\w+)\s*(?:\[[^\]]*\])?\s*$", part).group(1))
            found[match.group(1)] = fields
    return found


def layout(root, cc):
    lines = ["#include <stdio.h>", "#include <gw/gw.h>", "int main(void) {"]
    for name, fields in structs(root).items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        for field in fields:
            lines.append(f'printf("    {field} %zu %zu\\n", offsetof({name}, {field}), '
                         f'sizeof((({name} *)0)->{field}));')
    lines.append("return 0; }")
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder) / "layout.c", pathlib.Path(folder) / "layout"
        source.write_text("\n".join(lines))
        subprocess.run([*cc.split(), f"-I{root}/include", source, "-o", program], check=True)
        return subprocess.run([program], check=True, capture_output=True, text=True).stdout


def main():
    command, root, compiler = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    golden = root / "tests/abi/layout.txt"
    if command == "padding":
        failed = 0
        # A layout is computed, and warned about, where a size is asked.
        asked = "".join(f"_Static_assert(sizeof({name}) > 0, \"\");\n" for name in structs(root))
        for bits in ("-m64", "-m32"):
            run = subprocess.run([*compiler.split(), "-std=c11", bits, "-ffreestanding", "-Wpadded",
                                  "-Werror", "-fsyntax-only", f"-I{root}/include", "-x", "c", "-"],
                                 input="#include <gw/gw.h>\n" + asked, text=True)
            failed |= run.returncode
        return failed
    now = layout(root, compiler)
    if command == "update":
        golden.write_text(now)
        return 0
    old = golden.read_text()
    if now == old:
        return 0
    before, after = set(), set()
    for text, out in ((old, before), (now, after)):
        struct = ""
        for line in text.splitlines():
            struct = struct if line.startswith(" ") else line.split()[0]
            out.add(f"{struct}: {line.strip()}")
    for line in sorted(before - after):
        print(f"was  {line}")
    for line in sorted(after - before):
        print(f"now  {line}")
    print("the layout of public structs has changed (field offset size): if it may, run\n"
          "    tests/abi/abi.py update . cc\nand write it into CHANGELOG.md")
    return 1


if __name__ == "__main__":
    sys.exit(main())
