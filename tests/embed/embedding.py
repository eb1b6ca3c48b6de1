#!/usr/bin/env python3
"""Compiles each block of C in docs/embedding.md alone, then runs all of them together under
embedding_main.c.

    embedding.py docs/embedding.md embedding_main.c INCLUDE CC LINK_ARGUMENTS...
"""

import os
import re
import subprocess
import sys
import tempfile

STRICT = ["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion",
          "-Werror"]


def main():
    page, main_c, include, cc, *link = sys.argv[1:]
    with open(page, encoding="utf-8") as file:
        blocks = re.findall(r"^```c\n(.*?)^```$", file.read(), flags=re.S | re.M)
    assert len(blocks) >= 4, f"{page} has {len(blocks)} blocks of C"
    with tempfile.TemporaryDirectory() as folder:
        def compile_c(name, text, *more):
            source = os.path.join(folder, name)
            with open(source, "w", encoding="utf-8") as file:
                file.write(text)
            subprocess.run([*cc.split(), *STRICT, f"-I{include}", source, *more], check=True)

        for number, block in enumerate(blocks, 1):
            compile_c(f"block{number}.c", block, "-fsyntax-only", "-Wno-unused-function")
        with open(main_c, encoding="utf-8") as file:
            blocks.append(file.read())
        program = os.path.join(folder, "host")
        compile_c("host.c", "\n".join(blocks), "-o", program, *link)
        said = subprocess.run([program], stdout=subprocess.PIPE, text=True,
                              timeout=100)
        assert said.returncode == 0, f"the pieces answer {said.returncode}"
        assert said.stdout.count("\n") == 5, f"on_end reports five exchanges, not: {said.stdout}"
        print(said.stdout, end="")
    print(f"{len(blocks) - 1} blocks compile and run together")


if __name__ == "__main__":
    main()
