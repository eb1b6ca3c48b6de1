#!/usr/bin/env python3
"""The rules of the house that a machine can check. Each is one test:

    tidy.py RULE SOURCE_ROOT [ARGUMENTS]

It prints each offence with its place and what to do, and exits 1; 0 is clean.
"""

import fnmatch
import os
import pathlib
import re
import shutil
import subprocess
import sys

# What may be included from where: the layers of docs/architecture.md. A folder may always use
# itself and the public headers named under PUBLIC. Nothing points up.
EDGES = {
    "base": set(),
    "os": {"base"},
    "buf": {"base"},
    "http": {"buf", "base"},
    "h1": {"http", "buf", "base"},
    "h2": {"http", "buf", "base"},
    "grpc": {"http", "buf", "base"},
    "tls": {"buf", "base", "os"},
    "raw": {"tls", "http", "buf", "base"},
    "route": {"http", "base"},
    "balance": {"http", "base"},
    "guard": {"http", "base"},
    "dns": {"base"},
    "config": {"route", "balance", "guard", "dns", "tls", "http", "base", "os"},
    "link": {"h1", "h2", "raw", "tls", "http", "buf", "base"},
    "exchange": {"link", "config", "route", "balance", "guard", "grpc", "http", "buf", "base"},
    "worker": {"exchange", "link", "config", "route", "balance", "guard", "grpc", "h1", "h2",
               "raw", "tls", "http", "buf", "base", "os"},
    "bytes": {"worker", "link", "base"},   # docs/decisions: it reads wants from the links
    "loop": {"worker", "base"},            # worker: the engine's allocator
    "adapters": {"base", "os"},
    "resolve": {"adapters", "worker", "config", "dns", "base"},
    "filters": {"http", "guard", "base"},
    "observe": {"base"},
}

# Folders that stand on the public headers, as a host does: they may call what is exported.
ON_PUBLIC = ["adapters", "loop", "filters", "observe"]

# Folders whose objects may need nothing of the C library but mem* and str*.
PURE = ["base", "buf", "http", "h1", "raw", "route", "balance", "guard", "dns", "config", "link",
        "exchange", "worker", "grpc", "bytes"]

# What a compiler may call on its own account; the rest is the C library's or nobody's.
RUNTIME = re.compile(r"_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|__(u?divti3|u?modti3|popcount\w+|"
                     r"clz\w+|ctz\w+|multi3)|__(mem|str)\w+_chk|__builtin_\w+")
PURE_LIBC = re.compile(r"mem\w+|str\w+|bcmp")

BANNED = {
    r"strcpy|strcat|sprintf|vsprintf|gets|strtok": "has no bound: use gw_str and mem*",
    r"atoi|atol|strtol|strtoul|strtoull|strtod": "hides errors: use base/text.h",
    r"alloca|setjmp|longjmp": "no hidden stack, no hidden jump",
    r"malloc|calloc|realloc|free|strdup|strndup": "memory comes from the heap of base/heap.h",
}
# The one file that is the door to the C library's allocator.
MAY_ALLOCATE = {"lib/os/env.c"}
ALLOCATES = re.compile(r"(malloc|calloc|realloc\w*|free|\w*memalign|aligned_alloc|strn?dup\w*|v?asprintf|getline|"
                       r"fopen\w*|opendir|getaddrinfo)(@.*)?")

offences = []


def offence(place, text):
    offences.append(f"{place}: {text}")


def files(root, *patterns):
    """Paths that match, * also over slashes. Of what git knows or would add; of an unpacked archive
    all, but for build folders."""
    out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"],
                         capture_output=True, text=True)
    if out.returncode == 0:
        paths = [p for p in out.stdout.split("\0") if p]
    else:
        paths = [os.path.relpath(os.path.join(folder, name), root)
                 for folder, _, names in os.walk(root) for name in names]
        paths = [p for p in paths if not p.startswith(("build", ".git/")) and
                 "__pycache__" not in p]
    return sorted({p for p in paths for pattern in patterns if fnmatch.fnmatchcase(p, pattern)
                   and (pathlib.Path(root) / p).is_file()})


def read(root, path):
    return (pathlib.Path(root) / path).read_text(encoding="utf-8")


def code_of(text):
    """The text without comments and without what stands in quotes; lines keep their numbers."""
    blank = lambda m: re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def edges(root):
    for path in files(root, "lib/*.c", "lib/*.h"):
        folder = path.split("/")[1]
        if folder not in EDGES:
            offence(path, f'folder "{folder}" has no row in EDGES of tests/tidy/tidy.py')
            continue
        for number, line in enumerate(read(root, path).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match or match.group(1) == "gw_features.h":
                continue
            target = match.group(1)
            if "/" not in target or not (pathlib.Path(root) / "lib" / target).is_file():
                offence(f"{path}:{number}", f'"{target}": includes are written from lib/')
                continue
            room = target.split("/")[0]
            if room != folder and room not in EDGES[folder]:
                offence(f"{path}:{number}", f"lib/{folder} must not include lib/{room}: it is "
                        "above it, or no neighbour (docs/architecture.md, layers)")
        if folder != "h2" and re.search(r"#\s*include\s+<nghttp2", read(root, path)):
            offence(path, "nghttp2 is known to lib/h2 alone")
    for path in files(root, "examples/*.c", "examples/*.h"):
        for number, line in enumerate(read(root, path).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if match and (pathlib.Path(root) / "lib" / match.group(1)).is_file():
                offence(f"{path}:{number}", "examples use the public headers alone")


def banned(root):
    for path in files(root, "lib/*.c", "lib/*.h"):
        for number, line in enumerate(code_of(read(root, path)).splitlines(), 1):
            for names, why in BANNED.items():
                if path in MAY_ALLOCATE and "malloc" in names:
                    continue
                for match in re.finditer(rf"(?<![\w.>])({names})\s*\(", line):
                    offence(f"{path}:{number}", f"{match.group(1)}: {why}")


def headers(root, cc, cxx):
    """Each public header alone, in C99 to C23 and C++11 to C++20 as far as the compilers go, with
    everything that a host may turn on; by the given compilers, and by the other of gcc and clang where
    it is there."""
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-pedantic-errors", "-Wshadow", "-Wconversion",
              "-Wsign-conversion", "-Wundef", "-Wcast-align", "-Wmissing-field-initializers",
              "-Werror", "-fsyntax-only", f"-I{root}/include"]
    strict_of = {"c": ["-Wstrict-prototypes", "-Wmissing-prototypes", "-Wold-style-definition"],
                 "c++": ["-Wold-style-cast", "-Wzero-as-null-pointer-constant", "-Wnon-virtual-dtor"]}
    wanted = [(cc, "c"), (cxx, "c++"), ("gcc", "c"), ("g++", "c++"), ("clang", "c"), ("clang++", "c++")]
    found = []
    for compiler, language in wanted:
        if not compiler or not shutil.which(compiler.split()[-1]):
            continue
        names = subprocess.run([*compiler.split(), "--version"], capture_output=True, text=True)
        maker = (language, re.sub(r"^\S+", "", names.stdout.split("\n")[0]))
        if maker not in [of for of, _ in found]:
            found.append((maker, compiler))
    for path in files(root, "include/gw/*.h"):
        include = path[len("include/"):]
        text = f"#include <{include}>\n#include <{include}>\nint main(void) {{ return 0; }}\n"
        for (language, _), compiler in found:
            for standard in ("c99", "c11", "c2x") if language == "c" else ("c++11", "c++17", "c++20"):
                run = subprocess.run([*compiler.split(), *strict, *strict_of[language],
                                      f"-std={standard}", "-x", language, "-"],
                                     input=text, capture_output=True, text=True)
                if run.returncode != 0:
                    offence(path, f"does not stand alone with -std={standard} ({compiler}):\n"
                            f"{run.stderr}")
        for paragraph in re.split(r"\n\s*\n", read(root, path)):
            for call in re.findall(r"^GW_API\b[^;]*?\b(gw_\w+)\s*\(", paragraph, flags=re.M):
                if not re.search(r"^/\*(?s:.)*\b" + call + r"\b", paragraph, flags=re.M):
                    offence(path, f"does not say what {call} does")
        if f"#include <{include}>" not in read(root, "include/gw/gw.h") and include != "gw/gw.h":
            offence(path, "is missing in gw/gw.h")


def chart(root):
    """docs/architecture.md has one line for every file of lib/, a header and its .c together:
    four spaces, `folder/name`, spaces, what it is."""
    described = {}
    for number, line in enumerate(read(root, "docs/architecture.md").splitlines(), 1):
        match = re.match(r"    ([a-z0-9_]+/[a-z0-9_]+) +\S", line)
        if match and match.group(1).split("/")[0] in EDGES:
            described.setdefault(match.group(1), number)
    there = {p[len("lib/"):].rsplit(".", 1)[0] for p in files(root, "lib/*.c", "lib/*.h")}
    for name in sorted(there - described.keys()):
        offence("docs/architecture.md", f"add the line that says what lib/{name}.* is:\n"
                f"    {name:<20}what it is")
    for name, number in sorted(described.items()):
        if name not in there:
            offence(f"docs/architecture.md:{number}", f"describes lib/{name}, which is not there")


def registered(root):
    """Every source is named in the meson.build beside it, or in the nearest one above."""
    for path in files(root, "lib/*.c", "tests/*.c", "tests/*.py", "tests/*.sh", "tests/*.cpp",
                      "fuzz/*.c", "examples/*.c", "tests/*.gwt"):
        folder = pathlib.PurePath(path).parent
        name = pathlib.PurePath(path)
        lists = []
        while str(folder) not in (".", ""):
            listing = pathlib.Path(root) / folder / "meson.build"
            if listing.is_file():
                lists.append((folder, listing.read_text()))
            folder = folder.parent
        shell = read(root, "dev")
        found = path in shell
        for folder, text in lists:
            inside = str(name.relative_to(folder))
            stem = name.stem
            found = found or inside in text or name.name in text or (
                name.suffix != ".gwt" and re.search(rf"'{re.escape(stem)}'", text) is not None)
        if not found and name.suffix == ".gwt":
            found = any(".gwt" in text or "scripts" in text for _, text in lists)
        bench = re.match(r"tests/bench/\w+/", path)
        if not found and name.suffix in (".py", ".c") and bench:
            found = (pathlib.Path(root) / bench.group() / "Makefile").is_file()
        if not found:  # what another file of its folder names: a script's helper
            found = any(name.name in read(root, other) or (
                name.suffix == ".py" and re.search(rf"import {name.stem}\b", read(root, other)))
                for other in files(root, f"{name.parent}/*.py", f"{name.parent}/*.sh")
                if other != path)
        if not found:
            offence(path, "no meson.build names it: it is never built or run")


def linked(root):
    """Every page of docs/ is reachable from README or another page, and no link is dead."""
    pages = files(root, "docs/*.md", "docs/decisions/*.md")
    reached = set()
    for source in files(root, "*.md"):
        for number, line in enumerate(read(root, source).splitlines(), 1):
            for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", line):
                path = os.path.normpath(os.path.join(os.path.dirname(source), target))
                if not (pathlib.Path(root) / path).exists():
                    offence(f"{source}:{number}", f"links to {target}, which is not there")
                if path != source:
                    reached.add(path)
    for page in pages:
        if page not in reached:
            offence(page, "no other page links to it")


def symbols_of(archive):
    """object name -> (undefined, defined global symbols)"""
    out = subprocess.run(["nm", "-A", "-g", archive], capture_output=True, text=True, check=True)
    table = {}
    for line in out.stdout.splitlines():
        match = re.match(r".*?:([^:]+\.o):\s*(?:[0-9a-f]+)?\s+(\S)\s+(\S+)$", line)
        if match:
            name, kind, symbol = match.groups()
            undefined, defined = table.setdefault(name, (set(), set()))
            (undefined if kind in "Uw" else defined).add(symbol)
    return table


def objects_of(root):
    """object name in the archive -> (folder, path); meson writes / as _"""
    return {p[len("lib/"):].replace("/", "_") + ".o": (p.split("/")[1], p)
            for p in files(root, "lib/*.c")}


def pure(root, archive):
    table = symbols_of(archive)
    known = objects_of(root)
    public = set(read(root, "tests/abi/symbols.txt").split())
    home = {s: known[o][0] for o, (_, defined) in table.items() if o in known for s in defined}
    for name, (undefined, _) in sorted(table.items()):
        if name not in known:
            offence(name, "an object of the archive that no file of lib/ explains")
            continue
        folder, path = known[name]
        for symbol in sorted(undefined):
            if path not in MAY_ALLOCATE and ALLOCATES.fullmatch(symbol):
                offence(path, f"needs {symbol}: memory comes from the host's allocator")
            where = home.get(symbol)
            if where is not None:
                is_public = folder in ON_PUBLIC and symbol in public
                if where != folder and where not in EDGES.get(folder, set()) and not is_public:
                    offence(path, f"needs {symbol} of lib/{where}, which is above it or no "
                            "neighbour")
            elif folder in PURE and not RUNTIME.fullmatch(symbol) and \
                    not PURE_LIBC.fullmatch(symbol):
                if folder in ("link", "worker") and symbol.startswith("nghttp2_"):
                    symbol += " (lib/h2 alone may)"
                offence(path, f"needs {symbol}: a pure folder may use only mem* and str*")


# What a compiler's own start files put into every shared library: a handle, and whether it has ended.
STARTS = 16


def mutable(root, archive, library=None):
    """No mutable global anywhere: .data and .bss are empty, also of what is linked of them."""
    if library is not None:
        out = subprocess.run(["size", "-A", library], capture_output=True, text=True, check=True)
        there = re.findall(r"^\.(?:data|bss|tdata|tbss)\s+(\d+)", out.stdout, flags=re.M)
        if sum(map(int, there)) > STARTS:
            offence(library, f"{sum(map(int, there))} bytes of mutable globals")
    out = subprocess.run(["size", "-A", archive], capture_output=True, text=True, check=True)
    member = "?"
    for line in out.stdout.splitlines():
        match = re.match(r"(\S+)\s+\(ex ", line)
        if match:
            member = match.group(1)
        match = re.match(r"(\.(?:data|bss|tdata|tbss)(?:\.\S+)?|COMMON)\s+(\d+)", line)
        # .data.rel.ro: constant tables of pointers, read only once loaded.
        if match and int(match.group(2)) and not match.group(1).startswith(".data.rel.ro"):
            offence(member, f"{match.group(2)} bytes of mutable globals in {match.group(1)}")


def prefix(root, archive):
    for name, (_, defined) in sorted(symbols_of(archive).items()):
        for symbol in sorted(defined):
            if not symbol.startswith("gw_"):
                offence(name, f"{symbol}: a global symbol must start with gw_")


# What only tests call, and why it is there all the same.
FOR_TESTS = {
    "gw_worker_stub_tls": "turns the stub engine on",
    "gw_block_lend": "foreign blocks, whose public call is not there yet",
    "gw_h2_connection_bytes": "what config/limits.c says of connections is held against it",
    "gw_h2_stream_bytes": "what config/limits.c says of streams is held against it",
}


def used(root, archive):
    """What has linkage is public, or another file of lib/ needs it; or its own file and a test do."""
    table = symbols_of(archive)
    known = objects_of(root)
    public = set(read(root, "tests/abi/symbols.txt").split())
    needed = {s for undefined, _ in table.values() for s in undefined}
    tests = "".join(read(root, p) for p in files(root, "tests/*.c", "tests/*.h", "fuzz/*.c",
                                                 "fuzz/*.h"))
    for name, (_, defined) in sorted(table.items()):
        if name not in known:
            continue
        path = known[name][1]
        for symbol in sorted(defined - needed - public):
            is_tested = re.search(rf"\b{symbol}\b", tests) is not None
            if len(re.findall(rf"\b{symbol}\b", code_of(read(root, path)))) > 1:
                if not is_tested:
                    offence(path, f"{symbol} is needed here alone: make it static")
            elif symbol not in FOR_TESTS or not is_tested:
                offence(path, f"nobody needs {symbol}")


def exports(root, library):
    wanted = set(read(root, "tests/abi/symbols.txt").split())
    out = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True,
                         check=True)
    exported = {line.split()[-1] for line in out.stdout.splitlines() if line.strip()}
    declared = set()
    for path in files(root, "include/gw/*.h"):
        code = re.sub(r"^\s*#.*$", "", code_of(read(root, path)), flags=re.M)
        for match in re.finditer(r"\bGW_API\b[^;]*?\b(gw_\w+)\s*\(", code):
            declared.add(match.group(1))
    for symbol in sorted(exported - wanted):
        offence(library, f"exports {symbol}, which is not in tests/abi/symbols.txt")
    for symbol in sorted(declared - wanted):
        offence("include/gw", f"declares {symbol}, which is not in tests/abi/symbols.txt")
    for symbol in sorted(wanted - declared):
        offence("tests/abi/symbols.txt", f"{symbol} is in no public header")
    for symbol in sorted(wanted - exported):
        offence(library, f"{symbol} is promised and not exported")


def contract(root):
    """docs/embedding-contract.md names every public call, and every misuse as the log does; each call that
    is named as one, and no other misuse, is in the test."""
    page = read(root, "docs/embedding-contract.md")
    for symbol in read(root, "tests/abi/symbols.txt").split():
        if f"`{symbol}`" not in page:
            offence("docs/embedding-contract.md", f"does not say what {symbol} refuses")
    lines = {f"{call}: {text}" for call, text in re.findall(
        r'^    X\(\w+, "([^"]+)",\s+"([^"]+)"\)', read(root, "lib/base/misuse.h"), flags=re.M)}
    for line in sorted(lines):
        if f"`{line}`" not in page:
            offence("docs/embedding-contract.md", f"does not name the misuse `{line}`")
    test = read(root, "tests/unit/misuse_test.c")
    for mistake, line in re.findall(r"^\| (.*) \|[^|]*\| `([^`|]+: [^`|]+)` \|$", page, flags=re.M):
        if line not in lines:
            offence("docs/embedding-contract.md", f"`{line}` is no misuse")
        for call in re.findall(r"`(gw_\w+)", mistake):
            if call not in test:
                offence("tests/unit/misuse_test.c", f"does not provoke {call} for `{line}`")


# Written so that this file does not name what it looks for.
OUTSIDE = re.compile("|".join([r"/wo" + r"rk/", r"/ho" + r"me/\w", r"/ro" + r"ot/", r"/Us" + r"ers/",
                               r"/mnt/\w", "shared fol" + "der"]))


def outside(root):
    """The repository speaks of itself alone: no path of somebody's machine."""
    for path in files(root, "*"):
        try:
            text = read(root, path)
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            match = OUTSIDE.search(line)
            if match:
                offence(f"{path}:{number}", f'names "{match.group(0)}", a place outside')


def format(root):
    """clang-format has nothing to say."""
    sources = files(root, "*.c", "*.h", "*.cpp")
    run = subprocess.run(["clang-format", "--dry-run", "-Werror", *sources], cwd=root,
                         capture_output=True, text=True)
    if run.returncode != 0:
        places = sorted({line.split(":")[0] for line in run.stderr.splitlines()
                         if re.match(r"[\w/.-]+:\d+:", line)})
        for path in places:
            offence(path, "run ./dev format")


RULES = {f.__name__: f for f in (edges, banned, headers, chart, registered, linked, contract, pure, mutable, prefix,
                                 used, exports, outside, format)}


def main():
    rule, root, *rest = sys.argv[1:]
    RULES[rule](os.path.abspath(root), *rest)
    for text in offences:
        print(text)
    if offences:
        print(f"{len(offences)} offences against the rule: {rule}")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
