"""Noise: valid conversations with random damage, from clients and from upstreams.

Nothing of it may end gw, hang it, or make it hold memory; what is well-formed afterwards is served.
PEERS_SEED=N repeats a run; PEERS_SECONDS=N makes it longer.
"""

import os
import random
import struct
import time

import frames
import harness
import http1
from frames import END_HEADERS, END_STREAM
from harness import cluster

SEED = int(os.environ.get("PEERS_SEED", "1729"))
SECONDS = float(os.environ.get("PEERS_SECONDS", "6"))

H1 = [
    http1.text("GET /a HTTP/1.1", "Host: a.example"),
    http1.text("POST /b HTTP/1.1", "Host: a.example", "Content-Length: 5", body=b"hello"),
    http1.text(
        "POST /c HTTP/1.1",
        "Host: a.example",
        "Transfer-Encoding: chunked",
        body=b"5\r\nhello\r\n3;x=y\r\nyou\r\n0\r\nx-t: 1\r\n\r\n",
    ),
    http1.text("HEAD /d HTTP/1.1", "Host: a.example", "Connection: close"),
    http1.text("GET /e HTTP/1.1", "Host: a.example", "Connection: Upgrade", "Upgrade: websocket"),
    http1.text(
        "PUT /f HTTP/1.1", "Host: a", "Expect: 100-continue", "Content-Length: 3", body=b"abc"
    ),
]
ANSWERS = [
    http1.ok(b"hello"),
    http1.text(
        "HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\nx: y\r\n\r\n"
    ),
    http1.text("HTTP/1.1 204 No Content"),
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + http1.ok(b"hi", "Connection: close"),
    http1.text("HTTP/1.1 200 OK", body=b"until the end"),
]


def damage(rng, said):
    """A few bytes changed, cut, doubled or put in; often nothing."""
    said = bytearray(said)
    for _ in range(rng.choice((0, 0, 1, 1, 2, 5))):
        at = rng.randrange(len(said) + 1)
        how = rng.randrange(5)
        if how == 0 and at < len(said):
            said[at] = rng.randrange(256)
        elif how == 1:
            del said[at : at + rng.randrange(1, 9)]
        elif how == 2:
            said[at:at] = rng.choice(
                (b"\r\n", b"\n", b"\0", b" ", b"0\r\n\r\n", b"\r\n\r\n", b"\xff" * 9)
            )
        elif how == 3:
            said[at:at] = said[at : at + 40]
        elif how == 4 and at < len(said):
            said[at] ^= 1 << rng.randrange(8)
    return bytes(said)


def h2_noise(rng, c):
    """A few frames of a conversation, each perhaps damaged in its head or payload."""
    out = []
    for stream in range(1, 2 * rng.randrange(1, 6), 2):
        fields = frames.request_fields("POST", "/x", ("te", "trailers"))
        out.append(c.headers(stream, fields))
        for _ in range(rng.randrange(4)):
            out.append(frames.frame(frames.DATA, 0, stream, bytes(rng.randrange(3000))))
        out.append(frames.frame(frames.DATA, END_STREAM, stream))
    for _ in range(rng.randrange(6)):
        kind = rng.randrange(12)
        flags = rng.choice((0, 1, 4, 5, 8, 32, 45, rng.randrange(256)))
        size = rng.choice((0, 1, 4, 5, 6, 8, 12, 17))
        said = frames.frame(kind, flags, rng.randrange(8), rng.randbytes(size))
        out.insert(rng.randrange(len(out) + 1), said)
    if rng.randrange(3) == 0:
        rng.shuffle(out)
    if rng.randrange(2) == 0:
        i = rng.randrange(len(out))
        out[i] = damage(rng, out[i])
    return b"".join(out)


class Noise(harness.PeerCase):
    def setUp(self):
        super().setUp()
        harness.need_module("hpack", "python3-hpack")
        self.rng = random.Random(SEED)
        print("seed %d" % SEED, flush=True)

    def send_in_pieces(self, sock, said):
        cuts = sorted(self.rng.randrange(len(said) + 1) for _ in range(self.rng.randrange(4)))
        for a, b in zip([0] + cuts, cuts + [len(said)]):
            if said[a:b]:
                sock.sendall(said[a:b])

    def rounds(self, one):
        """Calls one(number) until the time is over, then looks that gw still serves."""
        end, count = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            count += 1
            try:
                one(count)
            except (ConnectionError, TimeoutError, EOFError):
                pass
            self.assertIsNone(self.gw.process.poll(), "gw ended in round %d" % count)
        print("%d rounds, %d KiB" % (count, self.gw.rss_kib()), flush=True)
        self.assertLess(self.gw.rss_kib(), harness.RSS_BOUND_KIB)

    def leave(self, sock):
        """As peers do: in order, with RST, or after having read a little."""
        how = self.rng.randrange(3)
        sock.settimeout(0.02)
        if how == 0:
            http1.reset(sock)
            return
        try:
            if how == 1:
                sock.shutdown(1)
            sock.recv(65536)
        except OSError:
            pass
        sock.close()

    def check_serves(self):
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET /alive HTTP/1.1", "Host: a.example"))
            self.assertEqual(c.response().body, b"/alive")

    def start_echo(self):
        self.origin = http1.Origin(lambda r: http1.ok(r.target.encode()))
        self.addCleanup(self.origin.close)
        self.gw = self.start_gw(
            [cluster("web", self.origin.port)],
            [harness.route("all", "web", upgrade=["websocket"])],
        )

    def start_impatient(self, port, protocol):
        """Short deadlines: most damage leaves somebody waiting."""
        self.gw = self.start_gw(
            [cluster("web", port, protocol, timeouts={"response": "50ms"})],
            [harness.route("all", "web", idle="50ms")],
            edge={"timeouts": {"body_idle": "50ms"}},
        )

    def test_h1_clients(self):
        self.start_echo()

        def one(_):
            c = http1.Client(self.gw.port, 1)
            said = b"".join(self.rng.choice(H1) for _ in range(self.rng.randrange(1, 4)))
            self.send_in_pieces(c.sock, damage(self.rng, said))
            self.leave(c.sock)

        self.rounds(one)
        self.check_serves()
        self.assertEqual(self.origin.errors, [], "what went upstream was always well-formed")

    def test_h2_clients(self):
        self.start_echo()

        def one(_):
            c = frames.Client(self.gw.port)
            self.send_in_pieces(c.sock, h2_noise(self.rng, c))
            self.leave(c.sock)

        self.rounds(one)
        self.check_serves()
        self.assertEqual(self.origin.errors, [])

    def test_h1_upstreams(self):
        """The client must see a well-formed answer each time: ours, or theirs."""
        rng = random.Random(SEED + 1)

        def serve(stream):
            while not stream.at_end():
                stream.request()
                stream.send(damage(rng, rng.choice(ANSWERS)))
                if rng.randrange(3) == 0:
                    return

        server = http1.Server(serve)
        self.addCleanup(server.close)
        self.start_impatient(server.port, "h1")

        def one(number):
            with http1.Client(self.gw.port, 2) as c:
                c.send(http1.text("GET /%d HTTP/1.1" % number, "Host: a.example"))
                try:
                    answer = c.response()
                    self.assertIn(answer.status // 100, (2, 3, 4, 5))
                except EOFError:
                    pass  # cut, and seen as cut

        self.rounds(one)
        self.assertEqual(server.errors, [])

    def test_h2_upstreams(self):
        rng = random.Random(SEED + 2)

        def serve(c):
            while True:
                f = c.find(frames.HEADERS)
                if f is None:
                    return
                said = [
                    c.headers(f.stream, [(":status", "200"), ("x", "y")]),
                    frames.frame(frames.DATA, 0, f.stream, b"hello"),
                    c.headers(f.stream, [("x-sum", "1")], end=True),
                ]
                if rng.randrange(2):
                    junk = frames.frame(
                        rng.randrange(12), rng.randrange(256), rng.randrange(6), rng.randbytes(8)
                    )
                    said.insert(rng.randrange(4), junk)
                c.send(damage(rng, b"".join(said)) if rng.randrange(2) else b"".join(said))

        server = frames.Server(serve)
        self.addCleanup(server.close)
        self.start_impatient(server.port, "h2")

        def one(number):
            with http1.Client(self.gw.port, 2) as c:
                c.send(http1.text("GET /%d HTTP/1.1" % number, "Host: a.example"))
                try:
                    self.assertIn(c.response().status // 100, (2, 4, 5))
                except EOFError:
                    pass

        self.rounds(one)
        self.assertEqual(server.errors, [])


if __name__ == "__main__":
    harness.main()
