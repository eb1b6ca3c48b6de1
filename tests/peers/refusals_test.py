"""What HTTP/1 must refuse, said by hand over raw sockets, and what it must keep in order.

A refused message is answered, the connection ends, and nothing of it reaches the upstream.
"""

import harness
import http1
from harness import cluster, route

HOST = b"Host: a.example\r\n"


def request(line=b"GET / HTTP/1.1", *fields, host=HOST, body=b""):
    return line + b"\r\n" + host + b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"

# name: (bytes, status). Each is followed by a whole request that must not be seen by anyone.
REFUSED = {
    "length and chunked": (
        request(b"POST / HTTP/1.1", b"Content-Length: 4", CHUNKED, body=b"0\r\n\r\n"),
        400,
    ),
    "chunked and length": (
        request(b"POST / HTTP/1.1", CHUNKED, b"Content-Length: 4", body=b"0\r\n\r\n"),
        400,
    ),
    "two lengths": (
        request(b"POST / HTTP/1.1", b"Content-Length: 4", b"Content-Length: 5", body=b"abcd"),
        400,
    ),
    "list of lengths": (request(b"POST / HTTP/1.1", b"Content-Length: 4, 5", body=b"abcd"), 400),
    "signed length": (request(b"POST / HTTP/1.1", b"Content-Length: +4", body=b"abcd"), 400),
    "negative length": (request(b"POST / HTTP/1.1", b"Content-Length: -4", body=b"abcd"), 400),
    "hex length": (request(b"POST / HTTP/1.1", b"Content-Length: 0x4", body=b"abcd"), 400),
    "empty length": (request(b"POST / HTTP/1.1", b"Content-Length:", body=b"abcd"), 400),
    "length over 64 bits": (
        request(b"POST / HTTP/1.1", b"Content-Length: 18446744073709551620", body=b"abcd"),
        400,
    ),
    "chunked twice": (
        request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
        400,
    ),
    "two codings fields": (request(b"POST / HTTP/1.1", CHUNKED, CHUNKED, body=b"0\r\n\r\n"), 400),
    "chunked is not last": (
        request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
        (400, 501),
    ),
    "unknown coding": (
        request(b"POST / HTTP/1.1", b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
        501,
    ),
    "coding with a vertical tab": (
        request(b"POST / HTTP/1.1", b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
        400,
    ),
    "coding in 1.0": (request(b"POST / HTTP/1.0", CHUNKED, body=b"0\r\n\r\n"), 400),
    "space before colon": (request(b"POST / HTTP/1.1", b"Content-Length : 4", body=b"abcd"), 400),
    "space before the name": (request(b"GET / HTTP/1.1", b" X-A: b"), 400),
    "folded field": (request(b"GET / HTTP/1.1", b"X-A: b", b" c"), 400),
    "first line folded": (b"GET / HTTP/1.1\r\n " + HOST + b"\r\n", 400),
    "no colon": (request(b"GET / HTTP/1.1", b"X-A"), 400),
    "empty name": (request(b"GET / HTTP/1.1", b": b"), 400),
    "name with a space": (request(b"GET / HTTP/1.1", b"X A: b"), 400),
    "NUL in a value": (request(b"GET / HTTP/1.1", b"X-A: b\0c"), 400),
    "CR in a value": (request(b"GET / HTTP/1.1", b"X-A: b\rc"), 400),
    "control in a value": (request(b"GET / HTTP/1.1", b"X-A: b\x01c"), 400),
    "lines that end in LF": (b"GET / HTTP/1.1\nHost: a.example\n\n", 400),
    "one line that ends in LF": (b"GET / HTTP/1.1\r\nHost: a.example\nX-A: b\r\n\r\n", 400),
    "no host": (request(host=b""), 400),
    "two hosts": (request(b"GET / HTTP/1.1", b"Host: b.example"), 400),
    "bad host": (request(host=b"Host: a b\r\n"), 400),
    "no version": (b"GET /\r\n\r\n", (400, 505)),
    "two spaces": (request(b"GET  / HTTP/1.1"), 400),
    "space in the target": (request(b"GET /a b HTTP/1.1"), 400),
    "target without a slash": (request(b"GET a HTTP/1.1"), 400),
    "target above the root": (request(b"GET /../../x HTTP/1.1"), 400),
    "escaped NUL": (request(b"GET /%00 HTTP/1.1"), 400),
    "broken escape": (request(b"GET /%zz HTTP/1.1"), 400),
    "fragment": (request(b"GET /a#b HTTP/1.1"), 400),
    "method that is no token": (request(b"G(T / HTTP/1.1"), 400),
    "version in lower case": (request(b"GET / http/1.1"), 400),
    "version 1.1x": (request(b"GET / HTTP/1.1x"), 400),
    "version 2.0": (request(b"GET / HTTP/2.0"), 505),
    "version 3.0": (request(b"GET / HTTP/3.0"), 505),
    "CONNECT": (b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", 405),
    "long target": (request(b"GET /" + b"a" * 40000 + b" HTTP/1.1"), 414),
    "long field": (request(b"GET / HTTP/1.1", b"X-A: " + b"b" * 40000), 431),
    "many fields": (request(b"GET / HTTP/1.1", *[b"X-%d: y" % i for i in range(300)]), 431),
    "unknown expectation": (
        request(b"POST / HTTP/1.1", b"Expect: 200-maybe", b"Content-Length: 1", body=b"a"),
        417,
    ),
    "TLS to a plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40, 400),
}

# Bodies that break off in the middle: the upstream may have seen the head, never a whole message.
BAD_CHUNKS = {
    "size with a sign": b"+4\r\nabcd\r\n0\r\n\r\n",
    "size with a prefix": b"0x4\r\nabcd\r\n0\r\n\r\n",
    "size over 64 bits": b"10000000000000004\r\nabcd\r\n0\r\n\r\n",
    "size over the bound": b"1000000000000001\r\nabcd\r\n0\r\n\r\n",
    "size with a space": b"4 \r\nabcd\r\n0\r\n\r\n",
    "space before the size": b" 4\r\nabcd\r\n0\r\n\r\n",
    "no size": b"\r\nabcd\r\n0\r\n\r\n",
    "size line ends in LF": b"4\nabcd\r\n0\r\n\r\n",
    "chunk longer than its size": b"4\r\nabcde\r\n0\r\n\r\n",
    "chunk ends in LF": b"4\r\nabcd\n0\r\n\r\n",
    "bare CR in an extension": b"4;a\rb\r\nabcd\r\n0\r\n\r\n",
    "endless extension": b"4;" + b"a" * 40000 + b"\r\nabcd\r\n0\r\n\r\n",
    "malformed trailer": b"4\r\nabcd\r\n0\r\nx y: z\r\n\r\n",
    "folded trailer": b"4\r\nabcd\r\n0\r\nx: y\r\n z\r\n\r\n",
    "trailer that ends in LF": b"4\r\nabcd\r\n0\r\nx: y\n\r\n",
}


class Refusals(harness.PeerCase):
    def setUp(self):
        super().setUp()
        self.origin = http1.Origin(lambda r: http1.ok(r.target.encode()))
        self.addCleanup(self.origin.close)
        self.gw = self.start_gw([cluster("web", self.origin.port)])

    def tearDown(self):
        self.assertEqual(self.origin.errors, [], "what reached the upstream is well-formed")

    def targets(self):
        return [r.target for r in self.origin.requests]

    def refusal(self, sent):
        """Sends, and reads what comes until the connection ends: its only response."""
        with http1.Client(self.gw.port) as c:
            try:
                c.send(sent)
            except ConnectionError:
                pass  # refused before all was sent
            answer = c.response()
            self.assertTrue(c.at_end(), "the connection ends after the refusal: %r" % c.ahead)
            return answer

    def test_refused(self):
        for name, (sent, expected) in REFUSED.items():
            with self.subTest(name):
                answer = self.refusal(sent + SMUGGLED)
                codes = expected if isinstance(expected, tuple) else (expected,)
                self.assertIn(answer.status, codes)
                self.assertTrue(answer.has_token("connection", "close"), answer.fields)
        self.assertEqual(self.targets(), [])
        entries = harness.until(
            "a line for each", lambda: len(self.gw.entries()) >= len(REFUSED) and self.gw.entries()
        )
        self.assertEqual(len(entries), len(REFUSED), "one line for each, none for what followed")
        for entry in entries:
            by = "gateway/" if entry["status"] == 405 else "client/"
            self.assertTrue(entry["cause"].startswith(by), entry)

    def test_refused_byte_by_byte(self):
        """However the bytes are cut, the verdict is the same."""
        for name in ("length and chunked", "space before colon", "folded field", "bad host"):
            with self.subTest(name), http1.Client(self.gw.port) as c:
                try:
                    for i in range(len(REFUSED[name][0])):
                        c.send(REFUSED[name][0][i : i + 1])
                except ConnectionError:
                    pass
                self.assertEqual(c.response().status, 400)
        self.assertEqual(self.targets(), [])

    def test_bad_chunks(self):
        head = request(b"POST /upload HTTP/1.1", CHUNKED)
        for name, body in BAD_CHUNKS.items():
            with self.subTest(name):
                answer = self.refusal(head + body + SMUGGLED)
                self.assertEqual(answer.status, 400)
        self.assertEqual(self.targets(), [], "no whole message reached the upstream")

    def test_same_length_twice_is_one(self):
        """RFC 9110 8.6 lets a recipient take equal lengths as one, or refuse them."""
        with http1.Client(self.gw.port) as c:
            c.send(request(b"POST /x HTTP/1.1", b"Content-Length: 4, 4", body=b"abcd"))
            self.assertIn(c.response().status, (200, 400))

    def test_empty_lines_before_a_request(self):
        with http1.Client(self.gw.port) as c:
            c.send(b"\r\n" + request(b"GET /x HTTP/1.1"))
            self.assertEqual(c.response().body, b"/x")

    def test_absolute_target(self):
        with http1.Client(self.gw.port) as c:
            c.send(request(b"GET http://b.example/x?y HTTP/1.1"))
            self.assertEqual(c.response().body, b"/x?y")
        self.assertEqual(self.origin.requests[0].get("host"), "b.example")

    def test_pipelined_requests_are_answered_in_order(self):
        count = 200
        with http1.Client(self.gw.port) as c:
            c.send(b"".join(request(b"GET /%d HTTP/1.1" % i) for i in range(count)))
            for i in range(count):
                self.assertEqual(c.response().body, b"/%d" % i)

    def test_pipelined_with_bodies(self):
        with http1.Client(self.gw.port) as c:
            c.send(
                request(b"POST /1 HTTP/1.1", b"Content-Length: 5", body=b"hello")
                + request(b"POST /2 HTTP/1.1", CHUNKED, body=b"3\r\nabc\r\n0\r\n\r\n")
                + request(b"HEAD /3 HTTP/1.1")
                + request(b"GET /4 HTTP/1.1", b"Connection: close")
            )
            self.assertEqual(c.response().body, b"/1")
            self.assertEqual(c.response().body, b"/2")
            self.assertEqual(c.response("HEAD").status, 200)
            self.assertEqual(c.response().body, b"/4")
            self.assertTrue(c.at_end())
        self.assertEqual([r.body for r in self.origin.requests], [b"hello", b"abc", b"", b""])

    def test_half_closed_client_gets_its_answer(self):
        """The end of the client's sending after a whole request is no abort."""
        with http1.Client(self.gw.port) as c:
            c.send(request(b"GET /x HTTP/1.1"))
            c.sock.shutdown(1)
            self.assertEqual(c.response().body, b"/x")
            self.assertTrue(c.at_end())

    def test_http10_keep_alive(self):
        with http1.Client(self.gw.port) as c:
            c.send(request(b"GET /1 HTTP/1.0", b"Connection: keep-alive"))
            self.assertEqual(c.response().body, b"/1")
            c.send(request(b"GET /2 HTTP/1.0"))
            self.assertEqual(c.response().body, b"/2")
            self.assertTrue(c.at_end())

    def test_options_asterisk(self):
        with http1.Client(self.gw.port) as c:
            c.send(request(b"OPTIONS * HTTP/1.1"))
            self.assertEqual(c.response().status, 200)
        self.assertEqual(self.targets(), ["*"])


class Deadlines(harness.PeerCase):
    """Who is slow is ended by the deadline of what it is slow at."""

    def start_slow(self, **timeouts):
        self.origin = http1.Origin(lambda r: http1.ok(harness.pattern(64 << 20)))
        self.addCleanup(self.origin.close)
        self.gw = self.start_gw([cluster("web", self.origin.port)], edge={"timeouts": timeouts})

    def test_slow_head(self):
        self.start_slow(head="300ms")
        with http1.Client(self.gw.port) as c:
            c.send(b"GET / HTTP/1.1\r\nHost: a.exa")
            self.assertEqual(c.response().status, 408)
            self.assertTrue(c.at_end())
        self.assertIn("client_head_timeout", self.gw.entry(status=408)["cause"])
        self.assertEqual(self.origin.requests, [])

    def test_stalled_body(self):
        self.start_slow(body_idle="300ms")
        with http1.Client(self.gw.port) as c:
            c.send(request(b"POST / HTTP/1.1", b"Content-Length: 10", body=b"abc"))
            self.assertEqual(c.response().status, 408)
            self.assertTrue(c.at_end())
        self.assertIn("client_body_timeout", self.gw.entry(status=408)["cause"])

    def test_stalled_reader(self):
        self.start_slow(body_idle="300ms")
        with http1.Client(self.gw.port) as c:
            c.send(request())
            entry = self.gw.entry(status=200)
            self.assertIn("client_read_timeout", entry["cause"])
            self.assertLess(entry["bytes_out"], 64 << 20)

    def test_idle_connection(self):
        self.start_slow(idle="300ms")
        with http1.Client(self.gw.port) as c:
            self.assertTrue(c.at_end())
        self.assertEqual(self.gw.entries(), [])


class EarlyAnswer(harness.PeerCase):
    def test_upload_answered_early(self):
        """An origin that answers before it has read the body: the answer reaches the client."""

        def serve(stream):
            stream.request_head()
            stream.send(http1.ok(b"no more\n", "Connection: close", status="413 Too Large"))
            stream.at_end()

        server = http1.Server(serve)
        self.addCleanup(server.close)
        gw = self.start_gw([cluster("web", server.port)])
        with http1.Client(gw.port) as c:
            c.send(request(b"POST /x HTTP/1.1", b"Content-Length: 50000000", body=b"a" * 1000))
            answer = c.response()
            self.assertEqual((answer.status, answer.body), (413, b"no more\n"))

    def test_interim_responses(self):
        def serve(stream):
            stream.request()
            stream.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
            stream.send(http1.ok(b"done"))

        server = http1.Server(serve)
        self.addCleanup(server.close)
        gw = self.start_gw([cluster("web", server.port)])
        with http1.Client(gw.port) as c:
            c.send(request())
            answer = c.response()
            self.assertEqual([m.status for m in answer.interim], [103])
            self.assertEqual(answer.interim[0].get("link"), "</a.css>; rel=preload")
            self.assertEqual(answer.body, b"done")

    def test_abort_reaches_the_upstream(self):
        """A client that resets ends the upstream's work."""
        ended = []

        def serve(stream):
            stream.request()
            ended.append(stream.at_end())

        server = http1.Server(serve)
        self.addCleanup(server.close)
        gw = self.start_gw([cluster("web", server.port)])
        client = http1.Client(gw.port)
        client.send(request())
        harness.until("the request at the upstream", lambda: server.connections)
        http1.reset(client.sock)
        harness.until("the upstream's connection to end", lambda: ended)
        self.assertTrue(gw.entry()["cause"].startswith("client/"))


class Methods(harness.PeerCase):
    def test_method_not_allowed(self):
        origin = http1.Origin()
        self.addCleanup(origin.close)
        gw = self.start_gw(
            [cluster("web", origin.port)], [route("get", "web", match={"methods": ["GET"]})]
        )
        with http1.Client(gw.port) as c:
            c.send(request(b"DELETE /x HTTP/1.1"))
            self.assertIn(c.response().status, (404, 405))
            c.send(request(b"GET /x HTTP/1.1"))
            self.assertEqual(c.response().status, 200)


if __name__ == "__main__":
    harness.main()
