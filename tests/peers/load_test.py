"""Load for a moment from h2load and wrk: nothing fails, memory stays bounded, the end is clean.

No figure passes or fails here; tests/bench measures.
"""

import re
import signal

import harness
import http1
from harness import HOST, cluster, free_port, need

SERVERS = """
  keepalive_requests 1000000; http2_max_concurrent_streams 256;
  default_type text/plain;
  server {{ listen {host}:{h1}; location / {{ return 200 "{body}"; }} }}
  server {{ listen {host}:{h2} http2; location / {{ return 200 "{body}"; }} }}
"""


class Load(harness.PeerCase):
    def setUp(self):
        super().setUp()
        ports = {"h1": free_port(), "h2": free_port()}
        servers = SERVERS.format(host=HOST, body="x" * 100, **ports)
        self.start_nginx(servers, ports["h1"])
        self.ports = ports

    def url(self):
        return "http://%s:%d/" % (HOST, self.gw.port)

    def h2load(self, *words, requests=20000):
        h2load = need("h2load")
        status, out, error = harness.run_program(
            h2load, "-t1", "-n", requests, "-c", "8", "-m", "32", *words, self.url(), limit=100
        )
        text = out.decode()
        self.assertEqual(status, 0, text + error)
        found = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
        self.assertEqual(found.groups(), (str(requests), "0", "0", "0"), text)
        self.assertIn("status codes: %d 2xx, 0 3xx, 0 4xx, 0 5xx" % requests, text)

    def wrk(self, connections):
        status, out, error = harness.run_program(
            need("wrk"), "-t1", "-c", connections, "-d", "2s", self.url()
        )
        text = out.decode()
        self.assertEqual(status, 0, text + error)
        self.assertNotIn("Non-2xx", text)
        self.assertNotIn("Socket errors", text)
        self.assertGreater(int(re.search(r"(\d+) requests in", text).group(1)), 100)

    def check_memory(self):
        self.assertLess(self.gw.rss_kib(), harness.RSS_BOUND_KIB)

    def test_h2_to_h1(self):
        self.gw = self.start_gw([cluster("web", self.ports["h1"])])
        self.h2load()
        self.check_memory()
        bad = [e for e in self.gw.entries() if e["cause"] != "none"]
        self.assertEqual(bad, [])

    def test_h2_to_h2(self):
        self.gw = self.start_gw([cluster("web", self.ports["h2"], "h2")])
        self.h2load()
        self.check_memory()

    def test_h1_to_h1(self):
        self.gw = self.start_gw([cluster("web", self.ports["h1"])])
        self.wrk(64)
        self.check_memory()

    def test_h1_to_h2(self):
        self.gw = self.start_gw([cluster("web", self.ports["h2"], "h2")])
        self.wrk(64)
        self.check_memory()

    def test_several_workers(self):
        self.gw = self.start_gw([cluster("web", self.ports["h1"])], workers=3)
        self.h2load(requests=10000)
        self.wrk(32)
        self.check_memory()

    def test_every_backend(self):
        """The same with each kind of loop; auto is io_uring, or where there is none epoll again."""
        for backend in ["poll", "epoll", "auto"]:
            with self.subTest(backend=backend):
                self.gw = self.start_gw([cluster("web", self.ports["h1"])], backend=backend)
                self.h2load(requests=5000)
                self.wrk(32)
                self.check_memory()

    def test_uploads(self):
        origin = http1.Origin()
        self.addCleanup(origin.close)
        self.gw = self.start_gw([cluster("web", origin.port)])
        path = self.write_file("up", harness.pattern(100000))
        self.h2load("-d", path, requests=500)
        self.assertEqual(origin.errors, [])
        self.assertTrue(all(r.body == harness.pattern(100000) for r in origin.requests))
        self.check_memory()

    def test_connections_that_come_and_go(self):
        self.gw = self.start_gw([cluster("web", self.ports["h1"])])
        for i in range(1000):
            with http1.Client(self.gw.port) as c:
                c.send(http1.text("GET / HTTP/1.1", "Host: a.example"))
                if i % 3:  # every third leaves without its answer
                    self.assertEqual(c.response().status, 200)
        self.check_memory()

    def test_end_under_load(self):
        """SIGTERM in the middle of it: what is under way is answered, and the exit is clean."""

        self.gw = self.start_gw([cluster("web", self.ports["h1"])])
        clients = [http1.Client(self.gw.port) for _ in range(20)]
        for c in clients:
            c.send(http1.text("GET / HTTP/1.1", "Host: a.example"))
            self.assertEqual(c.response().status, 200)
        self.assertEqual(self.gw.end(signal.SIGTERM, limit=20), 0)
        for c in clients:
            self.assertTrue(c.at_end())
            c.sock.close()


if __name__ == "__main__":
    harness.main()
