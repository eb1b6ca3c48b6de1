"""SIGHUP, again and again, under load: no request is lost, memory and descriptors stay what they were.

Every other file is wrong, so that nothing of it may hold. The others change routes, add and take away a
listener, and move the traffic between two upstreams. RELOADS says how often; 10,000 take some minutes:

    RELOADS=10000 PEERS_LIMIT=3600 GW=build/examples/gw/gw python3 tests/peers/reload_test.py
"""

import json
import os
import re
import signal
import threading

import frames
import harness
import http1
from harness import HOST, cluster, endpoint, free_port, route

RELOADS = int(os.environ.get("RELOADS", "200"))
SETTLED = 60  # reloads after which nothing may grow any more


class Asking(threading.Thread):
    """A client that asks on and on; what it gets must be whole, each time."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.is_over = False
        self.asked = 0
        self.trouble = None

    def run(self):
        try:
            self.ask_on()
        except Exception as trouble:  # whatever it is, the test fails by it
            self.trouble = trouble

    def finish(self):
        self.is_over = True
        self.join(harness.WAIT)
        if self.trouble:
            raise self.trouble
        assert not self.is_alive() and self.asked > 0


class AskingH1(Asking):
    def ask_on(self):
        with http1.Client(self.port) as c:
            while not self.is_over:
                body = b"%d" % self.asked
                c.send(http1.text("POST / HTTP/1.1", "Host: a.example",
                                  "Content-Length: %d" % len(body)) + body)
                answer = c.response()
                assert answer.status == 200 and answer.body.endswith(b" got " + body), answer.body
                self.asked += 1


class AskingH2(Asking):
    def ask_on(self):
        with frames.Client(self.port).settle() as c:
            stream = 1
            while not self.is_over:
                c.send(c.headers(stream, frames.request_fields("GET", "/h2"), end=True))
                fields, body, _, code = c.message(stream)
                assert dict(fields)[":status"] == "200" and code is None, (fields, body, code)
                assert body.endswith(b" got "), body
                self.asked += 1
                stream += 2


class Reload(harness.PeerCase):
    def setUp(self):
        super().setUp()
        self.upstreams = [http1.Server(self.serving(name)) for name in (b"one", b"two")]
        for server in self.upstreams:
            self.addCleanup(server.close)

    def serving(self, name):
        def serve(stream):
            while not stream.at_end():
                request = stream.request()
                stream.send(http1.ok(name + b" got " + request.body))

        return serve

    def say(self, i):
        """The i-th file; every other one is wrong."""
        config = json.loads(self.first)
        config["clusters"][0]["endpoints"] = [endpoint(self.upstreams[i // 2 % 2].port)]
        config["routes"] += [route("r%d" % n, "web", "/r%d" % n) for n in range(i % 7)]
        if i % 4 == 0:
            config["listeners"].append({"name": "more", "address": "%s:%d" % (HOST, self.more)})
        if i % 2 == 1:
            config["routes"].append(route("bad", "wev", "/bad"))
        with open(self.gw.config_path + ".new", "w") as f:
            json.dump(config, f)
        os.rename(self.gw.config_path + ".new", self.gw.config_path)

    def verdicts(self):
        """Lines that are whole since the last look, counted."""
        text = self.part + self.log.read()
        whole, _, self.part = text.rpartition("\n")
        self.told += len(re.findall(r"configuration \d+ (?:runs|stays)", whole))
        return self.told

    def growth_bound_kib(self):
        # What a sanitizer keeps of freed memory is bounded, but takes long to be full.
        return 128 * 1024 if harness.is_sanitized() else 4 * 1024

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.gw.pid))

    def test_under_load(self):
        self.more = free_port()
        self.gw = self.start_gw([cluster("web", self.upstreams[0].port)], workers=2)
        with open(self.gw.config_path) as f:
            self.first = f.read()
        asking = [AskingH1(self.gw.port) for _ in range(3)] + [AskingH2(self.gw.port)]
        for thread in asking:
            thread.start()
        self.log = open(self.gw.log_path, errors="replace")
        self.addCleanup(self.log.close)
        self.part, self.told = "", 0
        for i in range(RELOADS):
            self.say(i)
            self.gw.process.send_signal(signal.SIGHUP)
            harness.until("the verdict on file %d" % i, lambda i=i: self.verdicts() == i + 1)
            if i == min(SETTLED, RELOADS // 2):
                rss, descriptors = self.gw.rss_kib(), self.descriptors()
        grown = self.gw.rss_kib() - rss
        more = self.descriptors() - descriptors
        for thread in asking:
            thread.finish()
        asked = sum(thread.asked for thread in asking)
        print("%d reloads, %d requests; %d KiB and %d descriptors more than after %d"
              % (RELOADS, asked, grown, more, SETTLED))
        self.assertLess(grown, self.growth_bound_kib())
        self.assertLess(abs(more), 16)  # connections to upstreams come and go
        log = self.gw.log()
        self.assertEqual(len(re.findall(r"configuration \d+ runs", log)), (RELOADS + 1) // 2)
        self.assertEqual(log.count('no cluster "wev"; did you mean "web"?'), RELOADS // 2)
        self.gw.end()
        causes = {e["cause"] for e in self.gw.entries()}
        self.assertEqual(causes, {"none"})
        self.assertEqual(len(self.gw.entries()), asked)


if __name__ == "__main__":
    harness.main()
