"""Everything at once for as long as is asked: clients of both protocols and load on top, upstreams that are
killed and come back, SIGHUP with right and wrong files. Nothing may be lost that no cause names, and
nothing may grow.

    SOAK_SECONDS=600 PEERS_LIMIT=900 GW=build/examples/gw/gw python3 tests/peers/soak_test.py
"""

import collections
import contextlib
import json
import os
import re
import signal
import threading
import time

import frames
import harness
import http1
from harness import HOST, cluster, free_port, need, pattern, route

SECONDS = int(os.environ.get("SOAK_SECONDS", "10"))
BIG = pattern(300000)
TROUBLES = (EOFError, ConnectionError, TimeoutError, http1.Malformed, AssertionError)

SERVERS = """
  default_type text/plain;
  server {{
    listen {host}:{h1};
    root {folder}/www;
    location / {{ try_files /big =404; }}
    location /load {{ return 200 "{load}"; }}
  }}
  server {{
    listen {host}:{h2} http2;
    root {folder}/www;
    location / {{ try_files /big =404; }}
    location /load {{ return 200 "{load}"; }}
  }}
"""


class Asking(threading.Thread):
    """A client that asks on and on, by paths of its own, and keeps what each request came to."""

    def __init__(self, case, name):
        super().__init__(daemon=True)
        self.case, self.name = case, name
        self.came_to = {}  # path: a status, or "cut"
        self.trouble = None

    def run(self):
        try:
            n = 0
            while not self.case.is_over.is_set():
                with contextlib.suppress(*TROUBLES), self.client() as c:
                    while not self.case.is_over.is_set():
                        path = "/%s/%s/%d" % (self.kind(n), self.name, n)
                        n += 1
                        self.came_to[path] = "cut"
                        self.came_to[path] = self.ask(c, path)
        except Exception as trouble:  # whatever it is, the test fails by it
            self.trouble = trouble

    @staticmethod
    def kind(n):
        return ("one", "two")[n % 2]

    def check(self, status, body):
        if status == 200 and body != BIG:
            self.trouble = AssertionError("a body of %d bytes that is not the file's" % len(body))
        return status


class AskingH1(Asking):
    def client(self):
        return http1.Client(self.case.gw.port)

    def ask(self, c, path):
        c.send(http1.text("GET %s HTTP/1.1" % path, "Host: a.example"))
        answer = c.response()
        return self.check(answer.status, answer.body)


class AskingH2(Asking):
    WIDE = b"\x00\x04\x7f\xff\xff\xff"  # SETTINGS_INITIAL_WINDOW_SIZE

    def client(self):
        self.stream = 1
        return frames.Client(self.case.gw.port, settings=self.WIDE).settle()

    def ask(self, c, path):
        stream, self.stream = self.stream, self.stream + 2
        credit = (2 * len(BIG)).to_bytes(4, "big")
        c.send(frames.frame(frames.WINDOW_UPDATE, 0, 0, credit)
               + c.headers(stream, frames.request_fields("GET", path), end=True))
        fields, body, _, code = c.message(stream)
        if code is not None or fields is None:
            return "cut"
        return self.check(int(dict(fields)[":status"]), body)


class Soak(harness.PeerCase):
    def setUp(self):
        super().setUp()
        need("wrk", "h2load")
        os.mkdir(os.path.join(self.folder, "www"))
        self.write_file("www/big", BIG)
        self.ports = [{"h1": free_port(), "h2": free_port()} for _ in range(2)]
        self.upstreams = [self.start_upstream(i) for i in range(2)]
        self.is_over = threading.Event()

    def start_upstream(self, i):
        servers = SERVERS.format(folder=self.folder, host=HOST, load="x" * 100, **self.ports[i])
        return self.start_nginx(servers, self.ports[i]["h1"], "nginx%d" % i)

    def load(self, words):
        """One of the loaders again and again; only its end matters, not what it was answered."""
        while not self.is_over.is_set():
            harness.run_program(*words, limit=60)

    def reload(self, i):
        config = json.loads(self.first)
        config["routes"] += [route("r%d" % n, "one", "/r%d" % n) for n in range(i % 7)]
        if i % 2 == 1:
            config["routes"].append(route("bad", "wev", "/bad"))
        with open(self.gw.config_path + ".new", "w") as f:
            json.dump(config, f)
        os.rename(self.gw.config_path + ".new", self.gw.config_path)
        self.gw.process.send_signal(signal.SIGHUP)
        harness.until("the verdict on file %d" % i, lambda: self.verdicts() > i)

    def verdicts(self):
        return len(re.findall(r"configuration \d+ (?:runs|stays)", self.gw.log()))

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.gw.pid))

    def test_all_at_once(self):
        one, two = ([p[kind] for p in self.ports] for kind in ("h1", "h2"))
        self.gw = self.start_gw(
            [cluster("one", one), cluster("two", two, "h2")],
            [route("one", "one", "/"), route("two", "two", "/two")], workers=2)
        with open(self.gw.config_path) as f:
            self.first = f.read()
        url = "http://%s:%d/load" % (HOST, self.gw.port)
        loads = [threading.Thread(target=self.load, args=(words,), daemon=True) for words in (
            ["wrk", "-t1", "-c4", "-d2s", url],
            ["h2load", "-t1", "-c2", "-m10", "-D2", url])]
        asking = [AskingH1(self, "a"), AskingH1(self, "b"), AskingH2(self, "c"), AskingH2(self, "d")]
        for thread in loads + asking:
            thread.start()
        seen = self.work(asking)
        self.is_over.set()
        for thread in loads + asking:
            thread.join(harness.WAIT * 6)
        self.assertEqual(self.gw.end(), 0)
        self.judge(asking, seen)

    def work(self, asking):
        """Reloads and kills until the time is over; memory and descriptors before and after."""
        begin, reloads, kills = time.monotonic(), 0, 0
        seen = []
        while time.monotonic() < begin + SECONDS:
            self.reload(reloads)
            reloads += 1
            if reloads % 8 == 0:
                i = kills % 2
                self.upstreams[i].end(signal.SIGKILL)
                self.upstreams[i] = self.start_upstream(i)
                kills += 1
            if reloads in (24, 48):
                seen.append((self.gw.rss_kib(), self.descriptors()))
            for thread in asking:
                if thread.trouble:
                    raise thread.trouble
            self.is_over.wait(0.05)  # the pace, not a condition
        seen.append((self.gw.rss_kib(), self.descriptors()))
        print("%d reloads, %d kills" % (reloads, kills))
        return seen

    def read_log(self):
        """What the log says of each path that was asked, and how often it names each cause. Line by line:
        of ten minutes there are millions."""
        asked, causes = {}, collections.Counter()
        with open(self.gw.access_path) as log:
            for line in log:
                e = json.loads(line)
                causes[e["cause"]] += 1
                self.assertFalse(e["cause"] == "none" and (e["status"] or 500) >= 500, line)
                if e["path"] != "/load":
                    asked[e["path"]] = e["cause"]
        return asked, causes

    def judge(self, asking, seen):
        causes_of, causes = self.read_log()
        came = collections.Counter()
        for thread in asking:
            if thread.trouble:
                raise thread.trouble
            self.assertGreater(len(thread.came_to), 10)
            for path, end in thread.came_to.items():
                came[end if end in (200, "cut") else "refused"] += 1
                cause = causes_of.get(path)
                if end == 200:
                    self.assertIn(cause, ("none", "client/relay/client_closed"), path)
                elif cause is not None:  # None: it left while its connection was ending, unread
                    self.assertNotEqual(cause, "none", (path, end))
        print("%s; causes: %s; KiB and descriptors: %s" % (dict(came), dict(causes), seen))
        self.assertGreater(came[200], 10 * came["cut"])
        if not harness.is_sanitized() and len(seen) > 1:
            self.assertLess(seen[-1][0] - seen[0][0], 8 * 1024)
        self.assertLess(seen[-1][1], 200)


if __name__ == "__main__":
    harness.main()
