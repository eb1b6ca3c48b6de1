#!/usr/bin/env python3
"""Each rule of tidy.py against a small tree that breaks it: a rule that finds nothing, ever, would
pass for good. For every rule: clean on the clean tree, and the offence named on the broken one.

    rules_test.py TIDY CC
"""

import os
import pathlib
import subprocess
import sys
import tempfile

CLEAN = {
    "include/gw/gw.h": "#ifndef GW_GW_H\n#define GW_GW_H\n#include <gw/a.h>\n#endif\n",
    "include/gw/a.h": "#ifndef GW_A_H\n#define GW_A_H\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n"
                      "#define GW_API __attribute__((visibility(\"default\")))\n"
                      "/* 1. */\nGW_API int gw_one(void);\n#ifdef __cplusplus\n}\n#endif\n#endif\n",
    "lib/meson.build": "'base/one.c', 'buf/four.c', 'buf/two.c'\n",
    "lib/base/one.c": "#include \"base/one.h\"\n#include <gw/a.h>\n/* malloc(1) */\n"
                      "const int gw_table[2] = { 1, 2 };\n"
                      "int gw_one(void)\n{\n    return gw_table[0];\n}\n",
    "lib/base/one.h": "extern const int gw_table[2];\nint gw_two(void);\nint gw_four(int n);\n",
    "lib/buf/four.c": "#include \"base/one.h\"\nint gw_four(int n)\n{\n"
                      "    return n > 0 ? gw_two() : n;\n}\n",
    "lib/buf/two.c": "#include \"base/one.h\"\n#include <gw/a.h>\n"
                     "int gw_two(void)\n{\n    return gw_one() + gw_four(0);\n}\n",
    "tests/unit/one_test.c": "/* gw_table */\n",
    "tests/meson.build": "'unit/one_test.c' 'unit/misuse_test.c'\n",
    "tests/abi/symbols.txt": "gw_one\n",
    "docs/architecture.md": "# A\n\n    base/misuse m\n    base/one  first\n    buf/four  second\n    buf/two   third\n",
    "README.md": "[a](docs/architecture.md) [b](docs/embedding-contract.md)\n",
    "docs/embedding-contract.md": "`gw_one` `gw_one: twice`\n",
    "lib/base/misuse.h": "#define M(X) \\\n    X(ONE, \"gw_one\", \"twice\")\n",
    "tests/unit/misuse_test.c": "",
    "dev": "",
}

# rule, file that is changed, text put at its end (None: the file goes), what the report must name
BROKEN = [
    ("edges", "lib/base/one.c", '#include "buf/two.h"\n', "lib/"),
    ("edges", "lib/base/one.h", '#include "one.h"\n', "written from lib/"),
    ("edges", "lib/buf/two.c", "#include <nghttp2/nghttp2.h>\n", "lib/h2 alone"),
    ("edges", "examples/host.c", '#include "base/one.h"\n', "public headers alone"),
    ("edges", "lib/odd/three.c", "int x;\n", "no row in EDGES"),
    ("banned", "lib/buf/two.c", "char *f(void) { return malloc(1); }\n", "malloc"),
    ("banned", "lib/buf/two.c", "int g(char *s) { return atoi(s); }\n", "atoi"),
    ("headers", "include/gw/a.h", "gw_thing *gw_f(void);\n", "does not stand alone"),
    ("headers", "include/gw/a.h", "\nGW_API int gw_what(void);\n", "what gw_what does"),
    ("headers", "include/gw/b.h", "typedef int gw_b;\n", "missing in gw/gw.h"),
    ("headers", "include/gw/a.h", "static inline int gw_new(int *new) { return *new; }\n",
     "c++17"),
    ("headers", "include/gw/a.h", "typedef struct gw_n { union { int a; float b; }; } gw_n;\n", "c99"),
    ("headers", "include/gw/a.h", "static inline int *gw_no(void) { return 0; }\n", "c++11"),
    ("chart", "lib/buf/three.c", "int x;\n", "buf/three"),
    ("chart", "docs/architecture.md", "    buf/gone  third\n", "lib/buf/gone"),
    ("registered", "tests/unit/other_test.c", "", "other_test.c"),
    ("linked", "docs/alone.md", "# B\n", "docs/alone.md"),
    ("linked", "README.md", "[b](docs/gone.md)\n", "docs/gone.md"),
    ("contract", "tests/abi/symbols.txt", "gw_three\n", "what gw_three refuses"),
    ("contract", "lib/base/misuse.h", "    X(TWO, \"gw_one\", \"late\")\n", "gw_one: late"),
    ("contract", "docs/embedding-contract.md", "| it | no | `gw_one: often` |\n", "`gw_one: often` is no"),
    ("contract", "docs/embedding-contract.md", "| `gw_four` twice | no | `gw_one: twice` |\n",
     "does not provoke gw_four"),
    ("outside", "README.md", "see /ho" + "me/me/x\n", "README.md:2"),
    ("pure", "lib/buf/two.c", "int puts(const char *);\nint gw_p(void) { return puts(\"\"); }\n",
     "puts"),
    ("pure", "lib/base/one.c", "int gw_up(void) { return gw_two(); }\n", "gw_two"),
    ("pure", "lib/buf/two.c", "char *strdup(const char *);\nchar *gw_p(void) { return strdup(\"\"); }\n",
     "host's allocator"),
    ("mutable", "lib/buf/two.c", "int gw_counter;\nint gw_c(void) { return gw_counter++; }\n",
     "two.c.o"),
    ("mutable", "lib/buf/two.c", "static int n = 1;\nint gw_c(void) { return n++; }\n", "two.c.o"),
    ("mutable", "lib/buf/two.c", "static int t[9];\nint gw_c(int n) { return t[n % 9]++; }\n",
     "libgw.so: "),
    ("prefix", "lib/buf/two.c", "int other_name(void) { return 0; }\n", "other_name"),
    ("used", "lib/buf/two.c", "int gw_idle(void) { return 0; }\n", "nobody needs gw_idle"),
    ("used", "lib/buf/two.c", "int gw_own(void);\nint gw_own(void) { return gw_two(); }\n"
     "static int own(void) { return gw_own(); }\n", "make it static"),
    ("exports", "lib/buf/two.c", "GW_API int gw_extra(void);\nint gw_extra(void) { return 0; }\n",
     "gw_extra"),
    ("exports", "tests/abi/symbols.txt", "gw_gone\n", "gw_gone"),
    ("exports", "include/gw/a.h", "GW_API int gw_told(void);\n", "gw_told"),
]


def write(tree, path, text):
    place = pathlib.Path(tree) / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def arguments(rule, tree, cc):
    if rule == "headers":
        return [cc, "c++"]
    if rule not in ("pure", "mutable", "prefix", "used", "exports"):
        return []
    objects = []
    for source in sorted(pathlib.Path(tree).glob("lib/*/*.c")):
        name = os.path.join(tree, "_".join(source.relative_to(f"{tree}/lib").parts) + ".o")
        subprocess.run([*cc.split(), "-w", "-fPIC", "-fvisibility=hidden", "-fno-stack-protector",
                        f"-I{tree}/include", f"-I{tree}/lib", "-c", source, "-o", name], check=True)
        objects.append(name)
    library = os.path.join(tree, "libgw.so")
    archive = os.path.join(tree, "libgw.a")
    if rule in ("exports", "mutable"):
        subprocess.run([*cc.split(), "-shared", *objects, "-o", library], check=True)
    if rule == "exports":
        return [library]
    subprocess.run(["ar", "crs", archive, *objects], check=True)
    return [archive, library] if rule == "mutable" else [archive]


def run(tidy, rule, cc, change):
    with tempfile.TemporaryDirectory() as tree:
        for path, text in CLEAN.items():
            write(tree, path, text)
        if change:
            path, text = change
            write(tree, path, CLEAN.get(path, "") + text)
        done = subprocess.run([sys.executable, tidy, rule, tree, *arguments(rule, tree, cc)],
                              capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


def main():
    tidy, cc = sys.argv[1:]
    failed = 0
    for rule in sorted({row[0] for row in BROKEN}):
        code, said = run(tidy, rule, cc, None)
        if code != 0:
            print(f"{rule}: the clean tree is refused:\n{said}")
            failed += 1
    for rule, path, text, named in BROKEN:
        code, said = run(tidy, rule, cc, (path, text))
        if code != 1 or named not in said:
            print(f"{rule}: {path} with {text!r}: exit {code}, said:\n{said}")
            failed += 1
    print(f"{len(BROKEN)} offences tried, {failed} not found")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
