"""Upstreams that are killed, stopped and restarted while h2load (HTTP/1.1 and HTTP/2) and a gRPC client load
them through gw: with retries and breakers no client notices, who fails is left alone, and who is back is
asked again. What came of it is printed, a line each.

    TROUBLES=20 PEERS_LIMIT=600 GW=build/examples/gw/gw python3 tests/peers/troubles_test.py
"""

import collections
import json
import os
import re
import signal
import threading
import time

import harness
from harness import HERE, HOST, cluster, free_port, need, need_module, route

TROUBLES = int(os.environ.get("TROUBLES", "1"))  # so often each of the three
SERVERS = 3
NGINX = """
  server {{ listen {host}:{h1}; location / {{ return 200 "hello"; }} }}
  server {{ listen {host}:{h2} http2; location / {{ return 200 "hello"; }} }}
"""
# A stopped server is noticed by the time of a try.
RETRY = {
    "count": 2,
    "on": ["connect", "refused", "reused", "reset", "timeout", "gateway_error"],
    "per_try_timeout": "250ms",
    "backoff": {"base": "5ms", "max": "50ms"},
}
GUARDS = {
    "breaker": {"failures": 3, "sleep": "200ms", "sleep_max": "400ms"},
    "retry_budget": {"percent": 1000, "least": 10000},
    "timeouts": {"connect": "250ms", "response": "2s"},
}
# What a policy does not promise to hide: an answer that had begun.
VISIBLE = re.compile(r"upstream/relay/")


class Load(threading.Thread):
    """Asks until it is over; what came of it by name."""

    def __init__(self, case):
        super().__init__(daemon=True)
        self.case, self.came, self.trouble = case, collections.Counter(), None

    def run(self):
        try:
            while not self.case.is_over.is_set():
                self.ask()
        except Exception as trouble:  # the test fails by it
            self.trouble = trouble


class H2Load(Load):
    def __init__(self, case, words, url):
        super().__init__(case)
        self.words = ["h2load", "-t1", "-n1000", *words, url]

    def ask(self):
        code, out, err = harness.run_program(*self.words)
        text = out.decode()
        names = r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout"
        good, failed, _, _ = map(int, re.search(names, text).groups())
        codes = dict((k, int(n)) for n, k in re.findall(r"(\d+) ([2345])xx", text))
        self.came["good"] += codes["2"]
        self.came["5xx"] += codes["5"]
        self.came["failed"] += 1000 - codes["2"] - codes["5"]
        assert code == 0, err


class Grpc(Load):
    def __init__(self, case, port):
        super().__init__(case)
        self.grpc = need_module("grpc", "python3-grpcio")
        self.channel = self.grpc.insecure_channel("%s:%d" % (HOST, port))
        self.call = self.channel.unary_unary("/echo.Echo/Unary")

    def ask(self):
        for _ in range(50):
            try:
                self.came["good" if self.call(b"hello", timeout=10) == b"hello" else "failed"] += 1
            except self.grpc.RpcError as error:
                self.came[error.code().name] += 1


class Troubles(harness.PeerCase):
    def setUp(self):
        super().setUp()
        need("h2load")
        self.is_over = threading.Event()
        self.ports = [{"h1": free_port(), "h2": free_port()} for _ in range(SERVERS)]
        self.seen = 0

    def start_one(self, i):
        return self.start_nginx(NGINX.format(host=HOST, **self.ports[i]), self.ports[i]["h1"],
                                "nginx%d" % i)

    def start_origin(self, i):
        return self.start("/usr/bin/python3", os.path.join(HERE, "grpc_origin.py"),
                          "%s:%d" % (HOST, self.ports[i]["h2"]), port=self.ports[i]["h2"],
                          name="origin")

    def opened(self, port):
        """How often its breaker has opened."""
        return len(re.findall(r"breaker.changed.*\bopen: .*endpoint %s:%d\b" % (
            re.escape(HOST), port), self.gw.log()))

    def news(self):
        """What was logged since it was last asked."""
        with open(self.gw.access_path, "rb") as f:
            f.seek(self.seen)
            whole = f.read().rpartition(b"\n")[0]
        self.seen += len(whole) + (len(whole) > 0)
        return [json.loads(line) for line in whole.splitlines() if b"lines_dropped" not in line]

    def until_served(self, port):
        """Until that endpoint answers again; the seconds it took."""
        begin, name = time.monotonic(), "%s:%d" % (HOST, port)
        size = os.path.getsize(self.gw.access_path)
        with open(self.gw.access_path, "rb") as f:  # from a line's begin on
            f.seek(max(0, size - 4096))
            self.seen = size - len(f.read(min(size, 4096)).rsplit(b"\n", 1)[-1])
        harness.until("%s to serve" % name, lambda: any(
            e["endpoint"] == name and e["cause"] == "none" for e in self.news()))
        return time.monotonic() - begin

    def trouble(self, how, start, i, kind):
        """One server's; the seconds until it is left alone, and those until it is asked again."""
        port, server = self.ports[i][kind], self.servers[i]
        before, begin = self.opened(port), time.monotonic()
        server.process.send_signal(how)
        harness.until("the breaker of %d to open" % port, lambda: self.opened(port) > before)
        left = time.monotonic() - begin
        if how == signal.SIGSTOP:
            server.process.send_signal(signal.SIGCONT)
        else:
            server.end()
            self.servers[i] = start(i)
        return left, self.until_served(port)

    def work(self, kind, start, load, **more):
        """All three kinds of trouble, under load."""
        self.servers = [start(i) for i in range(SERVERS)]
        self.gw = self.start_gw(
            [cluster("web", [p[kind] for p in self.ports], "h1" if kind == "h1" else "h2", **GUARDS)],
            [route("web", "web", timeout="8s", retry=dict(RETRY, **more))], workers=2)
        loads = load(self.gw.port)
        for one in loads:
            one.start()
        for p in self.ports:
            self.until_served(p[kind])
        left, back = collections.defaultdict(list), collections.defaultdict(list)
        for n in range(TROUBLES):
            for i, how in enumerate((signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM)):
                took = self.trouble(how, start, (n + i) % SERVERS, kind)
                left[how.name].append(took[0])
                back[how.name].append(took[1])
        self.is_over.set()
        for one in loads:
            one.join(harness.WAIT * 6)
        self.assertEqual(self.gw.end(limit=30), 0)
        self.judge(loads, left, back)

    def judge(self, loads, left, back):
        came = sum((one.came for one in loads), collections.Counter())
        entries = [e for e in self.gw.entries() if "cause" in e]
        causes = collections.Counter(e["cause"] for e in entries)
        retried = sum(e["retries"] > 0 for e in entries)
        for one in loads:
            if one.trouble:
                raise one.trouble
        bad = sum(n for what, n in came.items() if what != "good")
        hidden = [c for c in causes if c != "none" and not VISIBLE.match(c)
                  and not c.startswith("client/")]
        print("\n  %d good, %d not; %d were retried; causes %s" % (came["good"], bad, retried,
                                                                   dict(causes)))
        for how in left:
            print("  %s: left alone after %d ms at most, asked again %d ms after it was back" % (
                how, 1000 * max(left[how]), 1000 * max(back[how])), flush=True)
        self.assertGreater(came["good"], 500)
        self.assertGreater(retried, 0)
        self.assertEqual(hidden, [])
        self.assertLessEqual(bad, sum(n for c, n in causes.items() if VISIBLE.match(c)))

    def test_http1(self):
        self.work("h1", self.start_one, lambda port: [
            H2Load(self, ["--h1", "-c8"], "http://%s:%d/" % (HOST, port))])

    def test_http2(self):
        self.work("h2", self.start_one, lambda port: [
            H2Load(self, ["-c2", "-m8"], "http://%s:%d/" % (HOST, port))])

    def test_grpc(self):
        need_module("grpc", "python3-grpcio")
        self.work("h2", self.start_origin, lambda port: [Grpc(self, port) for _ in range(4)],
                  unsafe=True, grpc=["unavailable"])


if __name__ == "__main__":
    harness.main()
