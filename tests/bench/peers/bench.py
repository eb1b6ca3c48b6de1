#!/usr/bin/env python3
"""Measure proxies side by side.  See README.md.

  bench.py list
  bench.py check  [-p names] [-s scenarios]         one request each, answers compared
  bench.py run    [-p names] [-s scenarios] [-n ROUNDS] [-d SECONDS] [-o FILE]
  bench.py report FILE...                           medians of earlier runs
  bench.py targets FILE...                          gw against what it is held to; 1: missed
  bench.py syscalls [-p names] [-s scenarios]       system calls a request (perf or strace)
  bench.py instr  [-p names] [-s scenarios]         callgrind, instructions a request
"""
import argparse
import collections
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.join(HERE, "bin")
RUN = os.path.join(HERE, "run")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
GW = os.path.abspath(os.environ.get("GW", os.path.join(ROOT, "build", "examples", "gw", "gw")))
GW_DEBIAN = os.path.abspath(
    os.environ.get("GW_DEBIAN", os.path.join(ROOT, "build-debian", "examples", "gw", "gw"))
)
HZ = os.sysconf("SC_CLK_TCK")
GRPC_PATH = "/bench.Echo/Say"

# tool: which client; proto: which listener of the proxy; mib: MiB moved a request.
# tls: gw must be a build with TLS; measured only when named with -s.
SCEN = collections.OrderedDict(
    [
        ("h1-h1-small", dict(tool="wrk", proto="h1", path="/", conns=64)),
        ("h1-h1-64k", dict(tool="wrk", proto="h1", path="/64k", conns=32, mib=1 / 16)),
        ("h1-h1-1m", dict(tool="wrk", proto="h1", path="/1m", conns=8, mib=1)),
        ("h1-h1-upload", dict(tool="wrk", proto="h1", path="/", conns=32, post=65536, mib=1 / 16)),
        ("h2c-h1-small", dict(tool="h2load", proto="h2c", path="/", conns=8, streams=32)),
        ("tls-h1-small", dict(tls=True, tool="wrk", proto="tls", path="/", conns=64)),
        (
            "tls-h2-small",
            dict(tls=True, tool="h2load", proto="tls", path="/", conns=8, streams=32),
        ),
        ("tls-handshake", dict(tls=True, tool="handshake", proto="tls", threads=8)),
        ("grpc", dict(tool="h2load", proto="grpc", path=GRPC_PATH, conns=8, streams=32, grpc=True)),
        ("conn-h1", dict(tool="idle", proto="h1", mode="h1", n=9500)),
        ("conn-h2c", dict(tool="idle", proto="h2c", mode="h2c", n=9500)),
        ("conn-tls-h1", dict(tls=True, tool="idle", proto="tls", mode="tls-h1", n=9500)),
        ("conn-tls-h2", dict(tls=True, tool="idle", proto="tls", mode="tls-h2", n=2000)),
    ]
)


def load_proxies(path):
    with open(path) as f:
        return [p for p in json.load(f)]


def subst(s, env):
    return re.sub(
        r"\{(\w+)\}", lambda m: str(env[m.group(1)]) if m.group(1) in env else m.group(0), s
    )


class Ports:
    def __init__(self, base):
        self.up1, self.up2, self.ug1, self.ug2 = base, base + 1, base + 2, base + 3
        self.base = base + 10

    def env(self, i):
        b = self.base + i * 5
        return dict(
            p_http=b,
            p_h2c=b + 1,
            p_tls=b + 2,
            p_grpc=b + 3,
            up1=self.up1,
            up2=self.up2,
            ug1=self.ug1,
            ug2=self.ug2,
        )


def lift_limits():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for want in (65536, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (want, max(want, hard)))
            return
        except (ValueError, OSError):
            pass


# ---- processes -----------------------------------------------------------


def pin(cpu):
    def f():
        os.setsid()
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})

    return f


def spawn(cmd, cpu, log, env=None, stdin=subprocess.DEVNULL, stdout=None):
    e = dict(os.environ)
    e.update(env or {})
    f = open(log, "ab")
    return subprocess.Popen(
        cmd, stdin=stdin, stdout=stdout or f, stderr=f, preexec_fn=pin(cpu), env=e, cwd=HERE
    )


def stop(p):
    """End a process this harness started, and the children it forked."""
    kids = tree(p.pid)[1:]
    if p.poll() is None:
        p.terminate()
        try:
            p.wait(5)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
    for k in kids:
        try:
            if os.path.exists("/proc/%d" % k):
                os.kill(k, signal.SIGKILL)
        except OSError:
            pass


def tree(pid):
    out, todo = [], [pid]
    while todo:
        q = todo.pop()
        out.append(q)
        try:
            for t in os.listdir("/proc/%d/task" % q):
                with open("/proc/%d/task/%s/children" % (q, t)) as f:
                    todo += [int(x) for x in f.read().split()]
        except (OSError, ValueError):
            pass
    return out


def cpu(pid):
    """(total ns, user jiffies, sys jiffies, context switches) of a process tree, all threads."""
    ns = us = sy = cs = 0
    for q in tree(pid):
        try:
            for t in os.listdir("/proc/%d/task" % q):
                with open("/proc/%d/task/%s/schedstat" % (q, t)) as f:
                    ns += int(f.read().split()[0])
                with open("/proc/%d/task/%s/status" % (q, t)) as f:
                    cs += sum(int(x) for x in re.findall(r"ctxt_switches:\s+(\d+)", f.read()))
            with open("/proc/%d/stat" % q) as f:
                a = f.read().rsplit(")", 1)[1].split()
                us += int(a[11])
                sy += int(a[12])
        except OSError:
            pass
    return ns, us, sy, cs


def mem(pid, key):
    kb = 0
    for q in tree(pid):
        try:
            with open("/proc/%d/status" % q) as f:
                m = re.search(key + r":\s+(\d+) kB", f.read())
                kb += int(m.group(1)) if m else 0
        except OSError:
            pass
    return kb


def sockmem():
    """kernel slab, kB: what idle sockets cost outside the process (all ends together)"""
    with open("/proc/meminfo") as f:
        return int(re.search(r"Slab:\s+(\d+)", f.read()).group(1))


def port_free(port):
    """False if somebody already listens there: never measure a stranger's server."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind(("127.0.0.1", port))
        return True
    except OSError:
        return False
    finally:
        s.close()


def wait_port(port, proc, secs=10):
    end = time.time() + secs
    while time.time() < end:
        if proc.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return True
        except OSError:
            time.sleep(0.03)
    return False


class Bench:
    def __init__(self, a):
        self.a = a
        self.ports = Ports(a.base_port)
        self.proxies = load_proxies(os.path.join(HERE, a.proxies_file))
        for name in a.proxies.split(",") if a.proxies else []:
            if name not in (p["name"] for p in self.proxies):
                raise SystemExit("no proxy " + name)
        os.makedirs(RUN, exist_ok=True)
        self.ups = []
        self.missing = set()
        ncpu = os.cpu_count()
        self.pcpu = a.proxy_cpu if a.proxy_cpu >= 0 and ncpu > 1 else None
        self.ccpu = a.client_cpu if a.client_cpu >= 0 and ncpu > 1 else None

    def env(self, p):
        e = self.ports.env(self.proxies.index(p))
        e.update(
            run=RUN,
            bin=BIN,
            cert=BIN + "/cert.pem",
            key=BIN + "/key.pem",
            both=BIN + "/both.pem",
            gw=GW,
            gw_debian=GW_DEBIAN,
        )
        e.update(p.get("vars", {}))
        return e

    def pick(self, scen):
        names = self.a.proxies.split(",") if self.a.proxies else None
        out = []
        for p in self.proxies:
            if names:
                if p["name"] not in names:
                    continue
            elif p.get("disabled"):
                continue
            if SCEN[scen]["proto"] not in p["protocols"]:
                continue
            if "only" in p and scen not in p["only"]:
                continue
            program = subst(p["cmd"], self.env(p)).split()[0]
            if not shutil.which(program):
                if p["name"] not in self.missing:
                    print("# %s left out: no %s" % (p["name"], program), file=sys.stderr)
                self.missing.add(p["name"])
                continue
            out.append(p)
        return out

    def port(self, p, proto):
        k = {"h1": "http", "h2c": "h2c", "tls": "tls", "grpc": "grpc"}[proto]
        k = p.get("ports", {}).get(k, k)
        return self.env(p)["p_" + k]

    def upstreams(self):
        if self.ups:
            return
        e = self.ports
        for cmd, port in ([BIN + "/upstream_h1", e.up1, e.up2], e.up1), (
            [BIN + "/upstream_grpc", e.ug1, e.ug2],
            e.ug1,
        ):
            if not port_free(port):
                raise SystemExit("port %d is taken: choose another --base-port" % port)
            q = spawn([str(c) for c in cmd], self.ccpu, RUN + "/upstream.log")
            self.ups.append(q)
            if not wait_port(port, q):
                raise SystemExit("upstream did not start: %s (see run/upstream.log)" % cmd[0])

    def close(self):
        for q in self.ups:
            stop(q)
        self.ups = []

    def start(self, p, proto, prefix=()):
        e = self.env(p)
        if "config" in p:
            with open(os.path.join(HERE, p["config"])) as f:
                t = f.read()
            e["conf"] = os.path.join(RUN, p["name"] + "." + os.path.basename(p["config"])[:-3])
            with open(e["conf"], "w") as f:
                f.write(subst(t, e))
        env = {k: subst(v, e) for k, v in p.get("env", {}).items()}
        words = p["cmd"].split() + (p.get("single", "").split() if prefix else [])
        if prefix:
            e.update(p.get("single_vars", {}))
        cmd = list(prefix) + [subst(w, e) for w in words]
        if not port_free(self.port(p, proto)):
            raise RuntimeError("port %d is taken" % self.port(p, proto))
        q = spawn(cmd, self.pcpu, RUN + "/" + p["name"] + ".log", env)
        if not wait_port(self.port(p, proto), q, 60 if prefix else 10):
            stop(q)
            raise RuntimeError("%s did not listen (see run/%s.log)" % (p["name"], p["name"]))
        return q

    # ---- clients: each returns dict(requests, seconds, errors, p50_us, p99_us)
    def client(self, sc, port, secs=None, n=None, log=False):
        if sc["tool"] == "wrk":
            return self.wrk(sc, port, secs)
        if sc["tool"] == "h2load":
            return self.h2load(sc, port, secs, n, log)
        if sc["tool"] == "handshake":
            out = self.out([BIN + "/tls_handshakes", str(port), str(secs), str(sc["threads"])])
            r = json.loads(out.strip().splitlines()[-1])
            return r
        raise SystemExit("no such client")

    def out(self, cmd, limit=120):
        q = subprocess.Popen(
            cmd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=pin(self.ccpu),
            cwd=RUN,
        )
        try:
            return q.communicate(timeout=limit)[0].decode()
        except subprocess.TimeoutExpired:
            q.kill()
            q.wait()
            raise RuntimeError("client ran past its limit: " + " ".join(cmd))

    def wrk(self, sc, port, secs):
        url = "%s://localhost:%d%s" % (
            "https" if sc["proto"] == "tls" else "http",
            port,
            sc["path"],
        )
        cmd = ["wrk", "-t1", "-c%d" % sc["conns"], "-d%ds" % max(1, round(secs)), "--latency", url]
        if sc.get("post"):
            lua = RUN + "/post.lua"
            with open(lua, "w") as f:
                f.write('wrk.method="POST"\nwrk.body=string.rep("x",%d)\n' % sc["post"])
            cmd[1:1] = ["-s", lua]
        o = self.out(cmd)
        m = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", o)
        if not m:
            raise RuntimeError("wrk: " + o[-300:])
        unit = {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6}

        def lat(pc):
            k = re.search(r"%s%%\s+([\d.]+)(us|ms|s|m)" % pc, o)
            return float(k.group(1)) * unit[k.group(2)] if k else 0

        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", o)
        se = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", o)
        err = (int(bad.group(1)) if bad else 0) + (sum(map(int, se.groups())) if se else 0)
        return dict(
            requests=int(m.group(1)),
            seconds=float(m.group(2)) * unit[m.group(3)] / 1e6,
            errors=err,
            p50_us=lat("50"),
            p99_us=lat("99"),
        )

    def h2load(self, sc, port, secs, n, log):
        scheme = "https" if sc["proto"] == "tls" else "http"
        cmd = ["h2load", "-t1", "-c%d" % sc["conns"], "-m%d" % sc["streams"]]
        cmd += ["-n%d" % n] if n else ["-D%g" % secs]
        if sc.get("grpc"):
            body = RUN + "/grpc.bin"
            with open(body, "wb") as f:
                f.write(b"\0\0\0\0\x64" + b"y" * 100)
            cmd += ["-d", body, "-H", "content-type: application/grpc", "-H", "te: trailers"]
        lf = RUN + "/h2load.log"
        if log:
            if os.path.exists(lf):
                os.unlink(lf)
            cmd += ["--log-file=" + lf]
        o = self.out(cmd + ["%s://localhost:%d%s" % (scheme, port, sc["path"])])
        m = re.search(
            r"requests: (\d+) total, (\d+) started, (\d+) done,"
            r" (\d+) succeeded, (\d+) failed, (\d+) errored",
            o,
        )
        s = re.search(r"finished in ([\d.]+)(us|ms|s|m)", o)
        if not m or not s:
            raise RuntimeError("h2load: " + o[-300:])
        ok = int(m.group(4))
        failed = int(m.group(5)) if n else int(m.group(3)) - ok
        st = re.search(r"status codes: (\d+) 2xx", o)
        if st and int(st.group(1)) < ok:
            failed += ok - int(st.group(1))
        r = dict(
            requests=ok,
            seconds=float(s.group(1)) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[s.group(2)],
            errors=failed,
        )
        if log:
            with open(lf) as f:
                rows = [x.split() for x in f]
            v = sorted(int(x[2]) for x in rows[len(rows) // 5 :] if len(x) == 3)
            if v:
                r.update(p50_us=v[len(v) // 2], p99_us=v[len(v) * 99 // 100])
        return r

    # ---- one measurement
    def measure(self, scen, p, secs):
        sc = SCEN[scen]
        if sc["tool"] == "idle":
            return self.idle(scen, p)
        q = self.start(p, sc["proto"])
        port = self.port(p, sc["proto"])
        try:
            warm = self.client(sc, port, secs=1, log=True)
            n = (
                max(1000, int(warm["requests"] / warm["seconds"] * secs))
                if sc["tool"] == "h2load"
                else None
            )
            pid = tree(q.pid)
            c0 = cpu(q.pid)
            k0 = self.ksoftirq()
            r = self.client(sc, port, secs=secs, n=n)
            c1 = cpu(q.pid)
            k1 = self.ksoftirq()
            if sc["tool"] == "h2load":
                r["p50_us"], r["p99_us"] = warm.get("p50_us", 0), warm.get("p99_us", 0)
            req = max(1, r["requests"])
            tot = (c1[0] - c0[0]) / 1e3 / req
            j = (c1[1] - c0[1]) + (c1[2] - c0[2]) or 1
            r.update(
                scenario=scen,
                proxy=p["name"],
                rps=r["requests"] / r["seconds"],
                cpu_us=tot,
                user_us=tot * (c1[1] - c0[1]) / j,
                sys_us=tot * (c1[2] - c0[2]) / j,
                busy=(c1[0] - c0[0]) / 1e9 / r["seconds"],
                switches=(c1[3] - c0[3]) / req,
                ksoft_us=(k1 - k0) / 1e3 / req,
                rss_kb=mem(q.pid, "VmHWM"),
                procs=len(pid),
            )
            if sc.get("mib"):
                r["cpu_us_mib"] = tot / sc["mib"]
            return r
        finally:
            stop(q)

    def ksoftirq(self):
        """ns of the ksoftirqd of the proxy's core: network work on the kernel's own account"""
        if not hasattr(self, "_ks"):
            self._ks = None
            for d in os.listdir("/proc"):
                if d.isdigit():
                    try:
                        with open("/proc/%s/comm" % d) as f:
                            if f.read().strip() == "ksoftirqd/%d" % (self.pcpu or 0):
                                self._ks = int(d)
                    except OSError:
                        pass
        if not self._ks:
            return 0
        with open("/proc/%d/schedstat" % self._ks) as f:
            return int(f.read().split()[0])

    def idle(self, scen, p):
        sc = SCEN[scen]
        q = self.start(p, sc["proto"])
        cl = None
        try:
            # a little traffic first, so that one-time allocations are not counted
            port = self.port(p, sc["proto"])
            w = spawn(
                [BIN + "/idle_conns", sc["mode"], str(port), "20"],
                self.ccpu,
                RUN + "/idle.log",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            w.stdout.readline()
            w.stdin.close()
            w.wait(10)
            time.sleep(0.3)
            m0, s0, c0 = mem(q.pid, "VmRSS"), sockmem(), cpu(q.pid)
            n = min(sc["n"], resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
            cl = spawn(
                [BIN + "/idle_conns", sc["mode"], str(port), str(n)],
                self.ccpu,
                RUN + "/idle.log",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            line = cl.stdout.readline().decode().split()
            if len(line) != 3:
                raise RuntimeError("idle client failed")
            c1 = cpu(q.pid)
            time.sleep(2)
            m1, s1 = mem(q.pid, "VmRSS"), sockmem()
            c2 = cpu(q.pid)
            ok = max(1, int(line[1]))
            return dict(
                scenario=scen,
                proxy=p["name"],
                requests=ok,
                errors=int(line[2]),
                rss_kb=m1,
                rss_per_conn=(m1 - m0) * 1024 / ok,
                slab_per_conn=(s1 - s0) * 1024 / ok,
                cpu_us=(c1[0] - c0[0]) / 1e3 / ok,
                idle_cpu_ms_s=(c2[0] - c1[0]) / 1e6 / 2,
            )
        finally:
            if cl:
                cl.stdin.close()
                try:
                    cl.wait(30)
                except subprocess.TimeoutExpired:
                    cl.kill()
            stop(q)


def scens(a):
    if not a.scenarios:
        return [s for s in SCEN if not SCEN[s].get("tls")]
    names = a.scenarios.split(",")
    out = []
    for n in names:
        m = [s for s in SCEN if s == n or (n.endswith("*") and s.startswith(n[:-1]))]
        if not m:
            raise SystemExit("no scenario " + n)
        out += m
    return out


# ---- reports

FLOORS = set()


def report(rows, file=sys.stdout):
    by = collections.OrderedDict()
    for r in rows:
        by.setdefault(r["scenario"], collections.OrderedDict()).setdefault(r["proxy"], []).append(r)

    def med(v, k):
        x = [r[k] for r in v if r.get(k) is not None]
        return statistics.median(x) if x else 0

    for scen, px in by.items():
        print("\n## " + scen, file=file)
        if SCEN[scen]["tool"] == "idle":
            print(
                "| proxy | rounds | conns | RSS/conn B | RSS MiB | kernel slab/conn B, all ends"
                " | CPU us per first request | idle CPU ms/s | errors |\n" + "|---" * 9 + "|",
                file=file,
            )
            for name, v in sorted(px.items(), key=lambda kv: med(kv[1], "rss_per_conn")):
                print(
                    "| %s | %d | %d | %.0f | %.1f | %.0f | %.1f | %.2f | %d |"
                    % (
                        name,
                        len(v),
                        med(v, "requests"),
                        med(v, "rss_per_conn"),
                        med(v, "rss_kb") / 1024,
                        med(v, "slab_per_conn"),
                        med(v, "cpu_us"),
                        med(v, "idle_cpu_ms_s"),
                        sum(r["errors"] for r in v),
                    ),
                    file=file,
                )
            continue
        mib = SCEN[scen].get("mib")
        floors = FLOORS
        peers = [n for n in px if n not in floors] or list(px)
        best = min(peers, key=lambda n: med(px[n], "cpu_us"))

        def paired(v):
            """median over rounds of this proxy's cost over the best peer's in that round"""
            ref = {(r.get("run"), r.get("round")): r["cpu_us"] for r in px[best]}
            x = [
                r["cpu_us"] / ref[k]
                for r in v
                for k in [(r.get("run"), r.get("round"))]
                if ref.get(k)
            ]
            return "%.2f" % statistics.median(x) if x else "-"

        print(
            "| proxy | rounds | requests | req/s | CPU us/req (min-max) | x best peer, paired"
            " | user | sys |%s busy %% | ctxsw/req | ksoftirqd us | p50 us | p99 us"
            " | peak RSS MiB | errors |"
            % (" CPU us/MiB |" if mib else ""),
            file=file,
        )
        print("|" + "---|" * (15 if mib else 14), file=file)
        for name, v in sorted(px.items(), key=lambda kv: med(kv[1], "cpu_us")):
            c = [r["cpu_us"] for r in v]
            print(
                "| %s | %d | %d | %.0f | **%.2f** (%.2f-%.2f) | %s | %.2f"
                " | %.2f |%s %.0f | %.2f | %.2f | %.0f | %.0f | %.1f | %d |"
                % (
                    name,
                    len(v),
                    sum(r["requests"] for r in v),
                    med(v, "rps"),
                    med(v, "cpu_us"),
                    min(c),
                    max(c),
                    paired(v),
                    med(v, "user_us"),
                    med(v, "sys_us"),
                    " %.0f |" % med(v, "cpu_us_mib") if mib else "",
                    100 * med(v, "busy"),
                    med(v, "switches"),
                    med(v, "ksoft_us"),
                    med(v, "p50_us"),
                    med(v, "p99_us"),
                    max(r["rss_kb"] for r in v) / 1024,
                    sum(r["errors"] for r in v),
                ),
                file=file,
            )


# gw's cost over that of the best of these, median of paired rounds, at most: over epoll, and over io_uring
# where that was measured.  Peers are as they are installed; nginx-bigbuf, haproxy-bigbuf and haproxy-splice
# are tuned for bodies, and only shown.
GWS = ["gw-epoll", "gw-uring"]
TARGETS = [
    ("h1-h1-small", ["haproxy"], 0.95),
    ("h2c-h1-small", ["nghttpx"], 0.95),
    ("grpc", ["nghttpx-grpc", "nghttpx"], 0.90),
    ("h1-h1-64k", ["haproxy", "nginx", "nghttpx"], 1.0),
    ("h1-h1-1m", ["haproxy", "nginx", "nghttpx"], 1.0),
]
# gw over the rebuilt wolfSSL (see docs/tls.md), and over Debian's, beside the best of all the others.
TLS_PEERS = ["nginx", "haproxy", "h2o", "nghttpx"]
TLS_TARGETS = [
    ("gw-tls", "tls-h1-small", 0.8),
    ("gw-tls", "tls-h2-small", 0.8),
    ("gw-tls", "tls-handshake", 0.8),
    ("gw-tls-debian", "tls-h1-small", 1.5),
    ("gw-tls-debian", "tls-h2-small", 1.5),
]
TLS_IDLE = [("conn-tls-h1", 15 * 1024), ("conn-tls-h2", 28 * 1024)]
# The loop over io_uring beside that over epoll, where both were measured.
LOOPS = [("h1-h1-small", 0.92), ("h1-h1-64k", 1.0), ("h1-h1-1m", 1.0)]
ROUNDS_LEAST = 7
IDLE_BYTES = 526


def ratios(rows, scen, peers, gw):
    """A proxy's cost over the cheapest peer's, round by round."""
    cost = collections.defaultdict(dict)
    for r in rows:
        if r["scenario"] == scen:
            cost[(r.get("run"), r.get("round"))][r["proxy"]] = r["cpu_us"]
    of_peers = ((c, [c[p] for p in peers if p in c]) for c in cost.values() if gw in c)
    return [c[gw] / min(theirs) for c, theirs in of_peers if theirs]


def targets(rows):
    print("| what | measured | at most | rounds | |\n|---|---|---|---|---|")
    missed = 0

    def line(what, got, most, rounds, least):
        nonlocal missed
        good = rounds >= least and got <= most
        missed += not good
        verdict = "good" if good else "MISSED" if rounds >= least else "TOO FEW ROUNDS"
        print("| %s | %s | %s | %d | %s |" % (what, round(got, 2), most, rounds, verdict))

    for gw in GWS:
        for scen, peers, most in TARGETS:
            x = ratios(rows, scen, peers, gw)
            if x or gw == GWS[0]:
                what = "%s, %s / %s" % (scen, gw, " or ".join(peers))
                line(what, statistics.median(x) if x else 0, most, len(x), ROUNDS_LEAST)
    for scen, most in LOOPS:
        x = ratios(rows, scen, ["gw-epoll"], "gw-uring")
        if x:
            # No more can be asked than what relays that parse nothing gain, but for noise.
            floor = ratios(rows, scen, ["floor-epoll"], "floor-uring")
            if floor and scen == "h1-h1-small":
                most = max(most, round(statistics.median(floor) + 0.03, 2))
            line("%s, gw-uring / gw-epoll" % scen, statistics.median(x), most, len(x), ROUNDS_LEAST)
    for p in "haproxy-splice", "haproxy-bigbuf", "nginx-bigbuf":
        for scen in "h1-h1-64k", "h1-h1-1m":
            for gw in GWS:
                x = ratios(rows, scen, [p], gw)
                if x:
                    what = "%s, %s / %s" % (scen, gw, p)
                    print("| %s | %.2f | - | %d | shown |" % (what, statistics.median(x), len(x)))
    for gw, scen, most in TLS_TARGETS:
        x = ratios(rows, scen, TLS_PEERS, gw)
        if x:
            what = "%s, %s / %s" % (scen, gw, " or ".join(TLS_PEERS))
            line(what, statistics.median(x), most, len(x), ROUNDS_LEAST)
    for scen, most in TLS_IDLE:
        idle = [r["rss_per_conn"] for r in rows if (r["scenario"], r["proxy"]) == (scen, "gw-tls")]
        if idle:
            line("idle connection, bytes, " + scen, statistics.median(idle), most, len(idle), 1)
    for gw in GWS:
        idle = [r["rss_per_conn"] for r in rows if (r["scenario"], r["proxy"]) == ("conn-h1", gw)]
        if idle or gw == GWS[0]:
            what = "idle h1 connection, bytes, " + gw
            line(what, statistics.median(idle) if idle else 0, IDLE_BYTES, len(idle), 1)
    return 1 if missed else 0


def cmd_run(b, a):
    rows = []
    stamp = int(time.time())
    try:
        for scen in scens(a):
            ps = b.pick(scen)
            rounds = (
                a.rounds if SCEN[scen]["tool"] != "idle" else max(1, min(a.rounds, a.idle_rounds))
            )
            b.upstreams()
            for i in range(rounds):
                k = i % len(ps) if ps else 0
                for p in ps[k:] + ps[:k]:  # interleaved, and each round starts elsewhere
                    try:
                        r = b.measure(scen, p, a.secs)
                        r["round"], r["run"] = i, stamp
                        rows.append(r)
                        if a.out:
                            with open(a.out, "a") as f:
                                f.write(json.dumps(r) + "\n")
                        print(
                            "# %s round %d %s: %s"
                            % (
                                scen,
                                i,
                                p["name"],
                                "%.0f B/conn" % r["rss_per_conn"]
                                if "rss_per_conn" in r
                                else "%.2f us/req %.0f req/s err %d"
                                % (r["cpu_us"], r["rps"], r["errors"]),
                            ),
                            file=sys.stderr,
                            flush=True,
                        )
                    except RuntimeError as e:
                        print(
                            "# %s %s failed: %s" % (scen, p["name"], e), file=sys.stderr, flush=True
                        )
    finally:
        b.close()
    report(rows)


def cmd_check(b, a):
    """One real request a proxy and protocol; gRPC must bring back its trailer."""
    bad = 0
    try:
        b.upstreams()
        seen = set()
        for scen in scens(a):
            sc = SCEN[scen]
            for p in b.pick(scen):
                path = sc.get("path", "/")
                key = (p["name"], sc["proto"], path, sc["tool"])
                if key in seen:
                    continue
                seen.add(key)
                q = None
                try:
                    q = b.start(p, sc["proto"])
                    url = "%s://localhost:%d%s" % (
                        "https" if sc["proto"] == "tls" else "http",
                        b.port(p, sc["proto"]),
                        path,
                    )
                    h2 = sc["proto"] in ("h2c", "grpc") or scen in ("tls-h2-small",)
                    if sc.get("grpc"):
                        body = RUN + "/grpc.bin"
                        with open(body, "wb") as f:
                            f.write(b"\0\0\0\0\x64" + b"y" * 100)
                        o = b.out(
                            [
                                "nghttp",
                                "-v",
                                "-d",
                                body,
                                "-H",
                                "content-type: application/grpc",
                                "-H",
                                "te: trailers",
                                url,
                            ],
                            20,
                        )
                        ok = "grpc-status: 0" in o and ":status: 200" in o
                        what = "trailer grpc-status: 0 %s" % ("seen" if ok else "MISSING")
                    else:
                        o = b.out(
                            [
                                "curl",
                                "-sk",
                                "--http2-prior-knowledge"
                                if h2 and sc["proto"] != "tls"
                                else "--http2"
                                if h2
                                else "--http1.1",
                                "-o",
                                RUN + "/body",
                                "-w",
                                "%{http_code} %{size_download} %{http_version}",
                                url,
                            ],
                            20,
                        )
                        want = {"/": 100, "/64k": 65536, "/1m": 1048576}.get(path, 100)
                        ok = o.split()[:2] == ["200", str(want)] and o.split()[2][0] == (
                            "2" if h2 else "1"
                        )
                        what = o
                    print(
                        "%-14s %-14s %s %s" % (scen, p["name"], "ok " if ok else "BAD", what),
                        flush=True,
                    )
                    bad += not ok
                except RuntimeError as e:
                    bad += 1
                    print("%-14s %-14s BAD %s" % (scen, p["name"], e), flush=True)
                finally:
                    if q:
                        stop(q)
    finally:
        b.close()
    return 1 if bad else 0


CALLS = [
    c
    for c in """
read readv write writev recvfrom recvmsg sendto sendmsg sendfile64 splice epoll_wait
epoll_pwait epoll_ctl poll io_uring_enter accept accept4 connect close shutdown socket setsockopt
getsockopt getsockname getpeername ioctl fcntl futex sched_yield nanosleep clock_nanosleep
clock_gettime gettimeofday timerfd_settime eventfd2 pipe2 brk mmap munmap madvise tgkill getpid
openat newfstat pwrite64 rt_sigprocmask getrandom
""".split()
    if os.path.isdir("/sys/kernel/tracing/events/syscalls/sys_enter_" + c)
]


def count_calls(pids, during):
    """{syscall: calls} of these processes while during() runs; perf tracepoints if the
    machine has them (they hardly disturb the proxy), else strace (which slows it)."""
    f = RUN + "/calls.out"
    if os.path.exists(f):
        os.unlink(f)
    if shutil.which("perf") and os.path.isdir("/sys/kernel/tracing/events/syscalls"):
        tids = [t for x in pids for t in os.listdir("/proc/%d/task" % x)]
        st = subprocess.Popen(
            [
                "perf",
                "stat",
                "-x,",
                "-o",
                f,
                "-e",
                ",".join("syscalls:sys_enter_" + c for c in CALLS),
                "-t",
                ",".join(tids),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        rx = re.compile(r"^(\d+),.*syscalls:sys_enter_(\w+),")
        tool = "perf"
    else:
        st = subprocess.Popen(
            ["strace", "-c", "-f", "-U", "calls,errors,name", "-o", f]
            + [w for x in pids for w in ("-p", str(x))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        rx = re.compile(r"^\s*(\d+)\s+(?:\d+)?\s*([a-z_0-9]+)$")
        tool = "strace"
    try:
        time.sleep(1.0)
        r = during()
    finally:
        st.send_signal(signal.SIGINT)
        try:
            st.wait(20)
        except subprocess.TimeoutExpired:
            st.kill()
            st.wait()
    calls = {}
    with open(f) as g:
        for l in g:
            m = rx.match(l.rstrip())
            if m and m.group(2) != "total" and int(m.group(1)):
                calls[m.group(2).replace("new", "")] = int(m.group(1))
    return tool, calls, r


def cmd_syscalls(b, a):
    """System calls a request of the running proxy."""
    try:
        b.upstreams()
        for scen in scens(a):
            sc = SCEN[scen]
            if sc["tool"] == "idle":
                continue
            print("\n## syscalls a request, " + scen)
            for p in b.pick(scen):
                q = b.start(p, sc["proto"])
                try:
                    port = b.port(p, sc["proto"])
                    w = b.client(sc, port, secs=1)
                    n = max(1000, int(w["requests"] * a.secs)) if sc["tool"] == "h2load" else None
                    tool, calls, r = count_calls(
                        tree(q.pid), lambda: b.client(sc, port, secs=a.secs, n=n)
                    )
                    req = max(1, r["requests"])
                    print(
                        "| %s | %d | %.2f | %s | %s |"
                        % (
                            p["name"],
                            req,
                            sum(calls.values()) / req,
                            ", ".join(
                                "%s %.3f" % (k, v / req)
                                for k, v in sorted(calls.items(), key=lambda kv: -kv[1])
                                if v / req >= 0.004
                            ),
                            tool,
                        ),
                        flush=True,
                    )
                except (RuntimeError, OSError) as e:
                    print("| %s | failed: %s" % (p["name"], e))
                finally:
                    stop(q)
    finally:
        b.close()


def cmd_instr(b, a):
    """callgrind: user-space instructions a request, a long run less a short one."""
    try:
        b.upstreams()
        for scen in scens(a):
            sc = SCEN[scen]
            if sc["tool"] == "idle":
                continue
            print("\n## user instructions a request (callgrind), " + scen)
            for p in b.pick(scen):
                if "uring" in p["name"]:  # callgrind does not know io_uring
                    continue
                try:
                    pts = []
                    for secs, n in ((1, 1000), (4, 6000)):
                        out = RUN + "/callgrind.%p"
                        for f in os.listdir(RUN):
                            if f.startswith("callgrind."):
                                os.unlink(os.path.join(RUN, f))
                        q = b.start(
                            p,
                            sc["proto"],
                            prefix=[
                                "valgrind",
                                "--tool=callgrind",
                                "--trace-children=yes",
                                "--callgrind-out-file=" + out,
                            ],
                        )
                        time.sleep(0.5)
                        r = b.client(
                            sc,
                            b.port(p, sc["proto"]),
                            secs=secs,
                            n=n if sc["tool"] == "h2load" else None,
                        )
                        for x in reversed(tree(q.pid)):
                            os.kill(x, signal.SIGTERM)
                        try:
                            q.wait(20)
                        except subprocess.TimeoutExpired:
                            pass
                        stop(q)
                        tot = 0
                        for f in os.listdir(RUN):
                            if f.startswith("callgrind."):
                                with open(os.path.join(RUN, f)) as g:
                                    for l in g:
                                        if l.startswith(("totals:", "summary:")):
                                            tot += int(l.split()[1])
                                            break
                        pts.append((r["requests"], tot))
                    (n1, t1), (n2, t2) = pts
                    print(
                        "%-13s %8.0f instructions/req  (%d and %d requests)"
                        % (p["name"], (t2 - t1) / max(1, n2 - n1), n1, n2),
                        flush=True,
                    )
                except (RuntimeError, OSError, json.JSONDecodeError) as e:
                    print("%-13s failed: %s" % (p["name"], e), flush=True)
    finally:
        b.close()


def main():
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument("cmd", choices=["list", "check", "run", "report", "targets", "syscalls", "instr"])
    ap.add_argument("files", nargs="*")
    ap.add_argument(
        "-p", "--proxies", help="comma-separated names; default: all that are not disabled"
    )
    ap.add_argument(
        "-s", "--scenarios", help="comma-separated names, a trailing * matches; default: all"
    )
    ap.add_argument("-n", "--rounds", type=int, default=5)
    ap.add_argument("--idle-rounds", type=int, default=2, help="rounds of the conn-* scenarios")
    ap.add_argument("-d", "--secs", type=float, default=2)
    ap.add_argument("-o", "--out", help="append raw rows (JSON lines) here")
    ap.add_argument("--base-port", type=int, default=27000)
    ap.add_argument("--proxy-cpu", type=int, default=0, help="core of the proxy, -1: not pinned")
    ap.add_argument(
        "--client-cpu", type=int, default=1, help="core of client and upstream, -1: not pinned"
    )
    ap.add_argument("--proxies-file", default="proxies.json")
    a = ap.parse_args()
    FLOORS.update(
        p["name"] for p in load_proxies(os.path.join(HERE, a.proxies_file)) if p.get("floor")
    )
    if a.cmd in ("report", "targets"):
        rows = []
        for f in a.files:
            with open(f) as g:
                rows += [json.loads(l) for l in g if l.strip()]
        return report(rows) if a.cmd == "report" else targets(rows)
    signal.signal(signal.SIGTERM, lambda *x: sys.exit(143))  # so that what was started is stopped
    lift_limits()
    if a.cmd != "list" and subprocess.call(["make", "-s", "-C", HERE]):
        return 1
    b = Bench(a)
    if a.cmd == "list":
        for s in SCEN:
            print("%-14s %s" % (s, " ".join(p["name"] for p in b.pick(s))))
        return 0
    return {"run": cmd_run, "check": cmd_check, "syscalls": cmd_syscalls, "instr": cmd_instr}[
        a.cmd
    ](b, a)


if __name__ == "__main__":
    sys.exit(main() or 0)
