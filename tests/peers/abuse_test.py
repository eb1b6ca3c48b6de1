"""Some of the attacks of docs/threat-model.md over real sockets, each beside an honest client that must be
served all the while. All of them, in numbers instead of seconds: tests/unit/abuse_test.c.
"""

import struct

import frames
import harness
import http1
from frames import CONTINUATION, DATA, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, RST_STREAM
from harness import cluster

CANCEL = struct.pack(">I", frames.CANCEL)
BIG = 64 << 20


class Abuse(harness.PeerCase):
    def setUp(self):
        super().setUp()
        origin = http1.Origin(
            lambda r: http1.ok(bytes(BIG) if r.target == "/big" else r.target.encode())
        )
        self.addCleanup(origin.close)
        self.gw = self.start_gw(
            [cluster("web", origin.port)],
            edge={"timeouts": {"head": "1s", "body_idle": "1s"}},
            limits={"memory": "16MiB"},
        )
        self.good = http1.Client(self.gw.port)
        self.addCleanup(self.good.sock.close)
        self.be_served()
        self.before = self.gw.rss_kib()

    def tearDown(self):
        self.be_served()
        self.assertLess(self.gw.rss_kib() - self.before, 24 * 1024)

    def be_served(self):
        self.good.send(http1.text("GET /good HTTP/1.1", "Host: a.example"))
        response = self.good.response()
        self.assertEqual((response.status, response.body), (200, b"/good"))

    def h2(self):
        harness.need_module("hpack", "python3-hpack")
        return frames.Client(self.gw.port).settle()

    def flood(self, c, pieces):
        """Says one piece after the other until the gateway has ended the connection."""
        c.sock.settimeout(harness.WAIT)
        for piece in pieces:
            try:
                c.send(piece)
            except ConnectionError:
                break
            self.be_served()
        f = c.find(GOAWAY)
        if f is not None:  # None: reset, since more of the flood was on its way
            self.assertEqual(f.code, ENHANCE_YOUR_CALM)
        harness.until("the line about it", lambda: "link.calmed" in self.gw.log())

    def test_rapid_reset(self):
        with self.h2() as c:
            self.flood(
                c,
                (
                    b"".join(
                        c.headers(i, frames.request_fields(), end=True)
                        + frames.frame(RST_STREAM, 0, i, CANCEL)
                        for i in range(first, first + 200, 2)
                    )
                    for first in range(1, 20001, 200)
                ),
            )

    def test_made_you_reset(self):
        with self.h2() as c:
            self.flood(
                c,
                (
                    b"".join(
                        c.headers(i, frames.request_fields(), end=True)
                        + frames.frame(DATA, 0, i, b"x")
                        for i in range(first, first + 40, 2)
                    )
                    for first in range(1, 4001, 40)
                ),
            )

    def test_continuation_flood(self):
        with self.h2() as c:
            c.send(frames.frame(HEADERS, END_STREAM, 1, c.block(frames.request_fields())))
            self.flood(c, [frames.frame(CONTINUATION, 0, 1, b"\0\1x\1y")] * 40)

    def drip(self, c, reason):
        """A byte each time the honest client was served, until the gateway has had enough."""
        while not any(reason in e["cause"] for e in self.gw.entries()):
            self.be_served()
            try:
                c()
            except (ConnectionError, EOFError):
                break
        harness.until(
            "the cause", lambda: [e for e in self.gw.entries() if reason in e["cause"]]
        )

    def test_slow_head(self):
        with http1.Client(self.gw.port) as c:
            c.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n")
            said = iter(b"X-%d: y\r\n" % i for i in range(90))
            self.drip(lambda: c.send(next(said, b"")), "client_head_timeout")
            self.assertEqual(c.response().status, 408)

    def test_slow_body(self):
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("POST / HTTP/1.1", "Host: a.example", "Content-Length: 1000000"))
            left = [50]

            def byte():
                left[0] -= 1
                c.send(b"x" if left[0] > 0 else b"")

            self.drip(byte, "client_body_timeout")

    def test_slow_reader(self):
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET /big HTTP/1.1", "Host: a.example"))
            self.drip(lambda: c.exact(1), "client_read_timeout")


if __name__ == "__main__":
    harness.main()
