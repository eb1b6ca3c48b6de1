"""What the tests with real peers share: processes, ports, the gateway under test, the verdict.

A test program is `unittest` cases on PeerCase, ended by harness.main().  Everything is on one
loopback address that belongs to this program alone (127.x.y.z made of its process id), so that
programs that run beside each other never meet.  Nothing sleeps for something to happen: what is
waited for is looked at in a loop with an end.  Only processes started here are ended, by their id.

A peer that is not installed skips the program (exit 77), but fails it where CI is set.
"""

import contextlib
import faulthandler
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
GW = os.environ.get("GW") or os.path.join(ROOT, "build", "examples", "gw", "gw")
PID = os.getpid()
HOST = "127.%d.%d.%d" % (64 + (PID >> 16) % 64, PID >> 8 & 255, PID & 255)
PROGRAM_LIMIT = int(os.environ.get("PEERS_LIMIT", "170"))  # seconds a test program may take
WAIT = 10.0  # seconds for anything that is waited for
# Far above what gw needs, and what a sanitizer keeps of freed memory; a leak under load passes it.
RSS_BOUND_KIB = 400 * 1024

MISSING = []


# ---- peers that must be there


def need(*programs):
    """Paths of the programs; says what is missing and leaves the test out (in CI: fails)."""
    paths = [
        shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin") for name in programs
    ]
    for name, path in zip(programs, paths):
        if path is None:
            lack("no program '%s'" % name)
    return paths[0] if len(paths) == 1 else paths


def need_module(name, package):
    """The Python module, or a test left out."""
    try:
        return __import__(name, fromlist=["_"])
    except ImportError:
        lack("no Python module '%s' (apt-get install %s)" % (name, package))


def lack(what):
    MISSING.append(what)
    if os.environ.get("CI"):
        raise RuntimeError("CI has every peer, but: " + what)
    raise unittest.SkipTest(what)


def is_sanitized():
    """Is gw built with a sanitizer that keeps freed memory?"""
    with open(GW, "rb") as f:
        program = f.read()
    return b"__asan_init" in program or b"__tsan_init" in program


# ---- waiting


def until(what, look, limit=WAIT):
    """Looks until look() is true and returns what it gave; fails after limit seconds."""
    end = time.monotonic() + limit
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError("waited %g s for %s" % (limit, what))
        time.sleep(0.01)


def free_port():
    with socket.socket() as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


def connect(port, timeout=WAIT):
    s = socket.create_connection((HOST, port), timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


# ---- processes

NGINX = """
daemon off;
master_process off;
pid {folder}/{name}.pid;
error_log {folder}/{name}.err {level};
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
{servers}
}}
"""


def words_of(words):
    """The command, run so that it is killed when this program is: a killed test leaves nobody.

    setpriv says that to the kernel and becomes the command.  A hook between fork and exec would say
    it too, but makes Python fork, which gRPC's threads do not survive; without one it uses vfork.
    """
    return ["setpriv", "--pdeathsig", "KILL"] + [str(w) for w in words]


class Process:
    """A program in the background; its output goes to a file that a failure shows."""

    def __init__(self, folder, words, env=None, cwd=None, name=None):
        self.name = name or os.path.basename(words[0])
        self.log_path = os.path.join(folder, "%s.%d.log" % (self.name, len(os.listdir(folder))))
        merged = dict(os.environ, **(env or {}))
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                words_of(words),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=merged,
                cwd=cwd,
            )
        self.pid = self.process.pid

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def wait_port(self, port):
        def look():
            if self.process.poll() is not None:
                raise AssertionError(
                    "%s ended with %d:\n%s" % (self.name, self.process.returncode, self.log())
                )
            with contextlib.suppress(OSError):
                socket.create_connection((HOST, port), 1).close()
                return True
            return False

        until("%s to listen on port %d" % (self.name, port), look)
        return self

    def end(self, how=signal.SIGTERM, limit=WAIT):
        """Ends it and returns its exit status (negative: the signal that it needed)."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return -signal.SIGKILL

    def rss_kib(self):
        with open("/proc/%d/status" % self.pid) as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        raise AssertionError("no VmRSS")


class Gateway(Process):
    """`gw run` of one configuration, and its access log."""

    def __init__(self, folder, config):
        self.access_path = os.path.join(folder, "access.%d.json" % len(os.listdir(folder)))
        config = dict(config, access_log={"path": self.access_path, "format": "json"})
        self.config_path = os.path.join(folder, "gw.%d.yaml" % len(os.listdir(folder)))
        with open(self.config_path, "w") as f:
            json.dump(config, f, indent=2)  # JSON is YAML
        super().__init__(folder, [GW, "run", self.config_path], name="gw")

    def entries(self, match=None):
        """What the access log says so far; match keeps entries with these members."""
        out = []
        with contextlib.suppress(FileNotFoundError), open(self.access_path) as f:
            for line in f:
                if line.endswith("\n"):
                    out.append(json.loads(line))
        if match:
            out = [e for e in out if all(e.get(k) == v for k, v in match.items())]
        return out

    def entry(self, **match):
        """The first entry with these members; waits for it."""
        return until("a log entry with %r" % match, lambda: self.entries(match))[0]


def endpoint(port):
    return {"address": "%s:%d" % (HOST, port)}


def cluster(name, ports, protocol="h1", **more):
    ports = [ports] if isinstance(ports, int) else ports
    return dict(name=name, protocol=protocol, endpoints=[endpoint(p) for p in ports], **more)


def route(name, to, prefix="/", match=None, **more):
    return dict(name=name, match=dict(match or {}, prefix=prefix), cluster=to, **more)


# ---- test cases


class Ground:
    """A folder, and what was started in it; close() ends all and wants a clean end of each gw."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="gw-peers-")
        self.processes = []

    def start(self, *words, port=None, env=None, cwd=None, name=None):
        process = Process(self.folder, words, env, cwd, name)
        self.processes.append(process)
        if port is not None:
            process.wait_port(port)
        return process

    def start_gw(self, clusters, routes=None, listeners=None, **more):
        """The gateway with one listener named edge (its port: .port) unless told otherwise."""
        if not os.path.exists(GW):
            lack("no gw at " + GW)
        port = free_port()
        edge = {"name": "edge", "address": "%s:%d" % (HOST, port)}
        edge.update(more.pop("edge", {}))
        config = {
            "workers": 1,
            "drain": "2s",
            "listeners": [edge] + (listeners or []),
            "clusters": clusters,
            "routes": routes or [route("all", clusters[0]["name"])],
        }
        config.update(more)
        gateway = Gateway(self.folder, config)
        gateway.port = port
        self.processes.append(gateway)
        for listener in config["listeners"]:
            gateway.wait_port(int(listener["address"].rsplit(":", 1)[1]))
        return gateway

    def close(self):
        """A sanitizer's report, a leak or a crash of a gw is another exit status than 0."""
        bad = []
        for process in reversed(self.processes):
            is_gw = isinstance(process, Gateway)
            status = process.end(limit=30 if is_gw else WAIT)
            if is_gw and status != 0:
                bad.append("gw ended with %d:\n%s" % (status, process.log()[-6000:]))
        shutil.rmtree(self.folder, True)
        if bad:
            raise AssertionError("\n".join(bad))

    def show_logs(self):
        for process in self.processes:
            text = process.log()
            if text:
                sys.stderr.write("--- %s said:\n%s\n" % (process.name, text[-3000:]))


def run_program(*words, limit=60, input_bytes=None, env=None):
    """Runs a client to its end: (exit status, output bytes, error text)."""
    done = subprocess.run(
        words_of(words),
        input=input_bytes,
        stdin=subprocess.DEVNULL if input_bytes is None else None,
        capture_output=True,
        timeout=limit,
        env=dict(os.environ, **(env or {})),
    )
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


class PeerCase(unittest.TestCase):
    """A test with a ground of its own."""

    def setUp(self):
        self.ground = Ground()
        self.folder = self.ground.folder
        self.start = self.ground.start
        self.start_gw = self.ground.start_gw
        self.addCleanup(self.ground.close)
        self.addCleanup(self.show_logs)

    def show_logs(self):
        if not self._outcome.success:
            self.ground.show_logs()

    def write_file(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(content)
        return path

    def start_nginx(self, servers, port, name="nginx", level="error"):
        """nginx with what stands in its http block; it is reached at that port when this returns."""
        text = NGINX.format(folder=self.folder, name=name, level=level, servers=servers)
        config = self.write_file(name + ".conf", text.encode())
        errors = os.path.join(self.folder, name + ".err")
        os.chmod(self.folder, 0o755)
        return self.start(need("nginx"), "-p", self.folder, "-c", config, "-e", errors, port=port)


def pattern(size, seed=1):
    """Bytes that are different at every place that matters, and the same each time."""
    unit = b"".join(
        ((seed * 2654435761 + i * 40503) & 0xFFFFFFFF).to_bytes(4, "big") for i in range(1021)
    )
    return (unit * (size // len(unit) + 1))[:size]


def leave(code):
    """Without the interpreter's own end: threads that still serve connections would run into it."""
    faulthandler.cancel_dump_traceback_later()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main():
    faulthandler.enable()
    faulthandler.dump_traceback_later(PROGRAM_LIMIT, exit=True)
    program = unittest.main(verbosity=2, exit=False)
    result = program.result
    bad = len({getattr(t, "test_case", t).id() for t, _ in result.failures + result.errors})
    skipped = len(result.skipped)
    passed = result.testsRun - bad - skipped
    print("%d passed, %d failed, %d skipped" % (passed, bad, skipped), flush=True)
    if bad:
        leave(1)
    if skipped:
        print("left out: " + "; ".join(sorted(set(MISSING))), flush=True)
        leave(77)
    leave(0)
