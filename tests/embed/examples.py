#!/usr/bin/env python3
"""An example as a new host has it: copied out of the sources, compiled against an installed libgw with
the flags of pkg-config alone, warnings as errors, then run and asked something.

    examples.py NAME EXAMPLES BUILD CC [CXX]

What hosts_test.py asks of the examples is much more; this is about what is outside of the tree.
"""

import http.client
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from support import DEADLINE, Running, Upstream  # noqa: E402

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
# Beside libgw; what pkg-config does not know is a flag.
NEEDED = {"libuv": ["libuv >= 1.40"], "libevent": ["libevent_core >= 2.1"]}
FLAGS = {"threads": ["-pthread"], "auth_filter": ["-pthread"], "callback_upstream": ["-pthread"]}


def missing(what):
    print(f"not tried: {what} is not installed")
    sys.exit(1 if os.environ.get("CI") else 77)


def install(build, folder):
    """Where DESTDIR has put it, and the environment in which pkg-config finds it."""
    subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", folder], check=True,
                   stdout=subprocess.DEVNULL)
    pc = next(os.path.join(at, "libgw.pc") for at, _, names in os.walk(folder) if "libgw.pc" in names)
    with open(pc, encoding="utf-8") as file:
        prefix = file.readline().strip().removeprefix("prefix=")
    library = os.path.dirname(os.path.dirname(pc))
    path = os.pathsep.join(filter(None, [os.path.dirname(pc), os.environ.get("PKG_CONFIG_PATH")]))
    return folder + prefix, dict(os.environ, PKG_CONFIG_PATH=path, LD_LIBRARY_PATH=library)


def compile_outside(name, examples, folder, build, compilers):
    is_cpp = name.startswith("cpp_")
    if is_cpp and len(compilers) < 2:
        missing("a compiler of C++")
    if shutil.which("pkg-config") is None:
        missing("pkg-config")
    for package in NEEDED.get(name, []):
        if subprocess.run(["pkg-config", "--exists", package]).returncode != 0:
            missing(package)
    prefix, env = install(build, os.path.join(folder, "image"))
    ask = ["pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs", "libgw"]
    flags = subprocess.run(ask, check=True, env=env, capture_output=True, text=True).stdout.split()
    for package in NEEDED.get(name, []):
        flags += subprocess.run(["pkg-config", "--cflags", "--libs", package], check=True, text=True,
                                capture_output=True).stdout.split()
    source = shutil.copy(os.path.join(examples, name + (".cpp" if is_cpp else ".c")), folder)
    program = os.path.join(folder, "example")
    compiler = compilers[1 if is_cpp else 0].split() + ["-std=c++17" if is_cpp else "-std=gnu11"]
    subprocess.run([*compiler, *STRICT, source, "-o", program, *flags, *FLAGS.get(name, [])],
                   check=True, cwd=folder)
    os.environ["LD_LIBRARY_PATH"] = env["LD_LIBRARY_PATH"]
    return program


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % probe.getsockname()[1]


class Judge(socketserver.StreamRequestHandler):
    """The policy service of auth_filter."""

    def handle(self):
        self.wfile.write(b"allow ann\n" if b" good" in self.rfile.readline() else b"deny\n")


def ask(client, path, method="GET", body=None, **fields):
    client.request(method, path, body, {name.replace("_", "-"): value for name, value in fields.items()})
    response = client.getresponse()
    return response.status, response.read()


def smoke(name, client):
    """On one connection, which stays: so it is seen that whoever answers leaves it in order."""
    if name == "callback_upstream":
        assert ask(client, "/count/3") == (200, b"1\n2\n3\n")
        assert ask(client, "/", "PUT", b"x" * 200000) == (201, b"200000 bytes\n")
        assert ask(client, "/") == (200, b"x" * 200000)
        return
    good = {"authorization": "Bearer good"} if name == "auth_filter" else {}
    for turn in range(3):
        if name == "auth_filter":
            assert ask(client, "/a") == (403, b'{"error":"forbidden"}')
            assert ask(client, "/a", authorization="Bearer bad") == (403, b'{"error":"forbidden"}')
        if name == "cpp_server":
            assert ask(client, f"/own/{turn}") == (200, b"GET /own/%d 0\n" % turn)
        said = ask(client, f"/api/{turn}", **good)
        assert said == (200, b"upstream got /api/%d\n" % turn), said
        assert ask(client, "/api/echo", "POST", b"y" * 100000, **good) == (200, b"y" * 100000)


def arguments(name, upstream, policy, folder):
    if name == "threads":
        with open(os.path.join(folder, "upstreams"), "w", encoding="utf-8") as file:
            file.write(upstream.address + "\n")
    return {"threads": [os.path.join(folder, "upstreams"), "2"],
            "minimal_host": [upstream.address],
            "cpp_server": ["/api", upstream.address],
            "callback_upstream": [os.path.join(folder, "store")],
            "auth_filter": [upstream.address, "127.0.0.1:%d" % policy.server_address[1]],
            }.get(name, [upstream.address, free_address()])


def main():
    name, examples, build, *compilers = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder, Upstream() as upstream, \
            socketserver.ThreadingTCPServer(("127.0.0.1", 0), Judge) as policy:
        program = compile_outside(name, examples, folder, build, compilers)
        policy.daemon_threads = True
        threading.Thread(target=policy.serve_forever, args=(0.02,), daemon=True).start()
        address = free_address()
        with Running([program, address, *arguments(name, upstream, policy, folder)]) as host:
            host.stderr.until("listening on")
            client = http.client.HTTPConnection(address, timeout=DEADLINE)
            smoke(name, client)
            client.close()
            host.signal(signal.SIGTERM)
            assert host.end() == 0, "it does not end in an orderly way"
        upstream.shutdown()
        policy.shutdown()
    print(f"{name} compiles outside of the tree, and serves")


if __name__ == "__main__":
    main()
