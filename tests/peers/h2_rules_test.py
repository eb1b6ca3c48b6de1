"""Every violation of RFC 9113 by raw frames: the error that it names, at the level it names.

A stream error must leave the connection and its other streams alone; a connection error is a
GOAWAY with the code, and the end of the connection.
"""

import struct
import threading

import harness
import http1
from frames import *
from harness import cluster


def u32(n):
    return struct.pack(">I", n)


def setting(key, value):
    return struct.pack(">HI", key, value)


def open_get(c, stream=1):
    c.send(c.headers(stream, request_fields(), end=True))


# Connection errors: name: (codes, what is sent after the SETTINGS were acknowledged).
CONNECTION_ERRORS = {
    "DATA on stream 0 (6.1)": (PROTOCOL_ERROR, lambda c: frame(DATA, 0, 0, b"x")),
    "DATA on an idle stream (5.1)": (PROTOCOL_ERROR, lambda c: frame(DATA, 0, 1, b"x")),
    "HEADERS on stream 0 (6.2)": (PROTOCOL_ERROR, lambda c: c.headers(0, request_fields())),
    "HEADERS on an even id (5.1.1)": (
        PROTOCOL_ERROR,
        lambda c: c.headers(2, request_fields(), end=True),
    ),
    "ids go down (5.1.1, 5.1)": (
        (PROTOCOL_ERROR, STREAM_CLOSED),
        lambda c: c.headers(5, request_fields("POST")) + c.headers(3, request_fields(), end=True),
    ),
    "DATA padding over the frame (6.1)": (
        PROTOCOL_ERROR,
        lambda c: c.headers(1, request_fields("POST")) + frame(DATA, PADDED, 1, b"\x09abc"),
    ),
    "HEADERS padding over the frame (6.2)": (
        PROTOCOL_ERROR,
        lambda c: frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff\x82"),
    ),
    "HEADERS too short for its priority (6.2)": (
        FRAME_SIZE_ERROR,
        lambda c: frame(HEADERS, END_HEADERS | HAS_PRIORITY, 1, b"\0\0"),
    ),
    "PRIORITY on stream 0 (6.3)": (PROTOCOL_ERROR, lambda c: frame(PRIORITY, 0, 0, b"\0" * 5)),
    "RST_STREAM on stream 0 (6.4)": (PROTOCOL_ERROR, lambda c: frame(RST_STREAM, 0, 0, u32(8))),
    "RST_STREAM on an idle stream (6.4)": (
        PROTOCOL_ERROR,
        lambda c: frame(RST_STREAM, 0, 1, u32(8)),
    ),
    "RST_STREAM of the wrong size (6.4)": (
        FRAME_SIZE_ERROR,
        lambda c: c.headers(1, request_fields("POST")) + frame(RST_STREAM, 0, 1, b"\0\0\0"),
    ),
    "SETTINGS on a stream (6.5)": (PROTOCOL_ERROR, lambda c: frame(SETTINGS, 0, 1)),
    "SETTINGS of a wrong length (6.5)": (
        FRAME_SIZE_ERROR,
        lambda c: frame(SETTINGS, 0, 0, b"\0" * 5),
    ),
    "SETTINGS ACK with a payload (6.5)": (
        FRAME_SIZE_ERROR,
        lambda c: frame(SETTINGS, ACK, 0, setting(3, 1)),
    ),
    "ENABLE_PUSH of 2 (6.5.2)": (PROTOCOL_ERROR, lambda c: frame(SETTINGS, 0, 0, setting(2, 2))),
    "INITIAL_WINDOW_SIZE over 2^31-1 (6.5.2)": (
        FLOW_CONTROL_ERROR,
        lambda c: frame(SETTINGS, 0, 0, setting(4, 1 << 31)),
    ),
    "MAX_FRAME_SIZE of 100 (6.5.2)": (
        PROTOCOL_ERROR,
        lambda c: frame(SETTINGS, 0, 0, setting(5, 100)),
    ),
    "MAX_FRAME_SIZE over 2^24-1 (6.5.2)": (
        PROTOCOL_ERROR,
        lambda c: frame(SETTINGS, 0, 0, setting(5, 1 << 24)),
    ),
    "PUSH_PROMISE from a client (8.4)": (
        PROTOCOL_ERROR,
        lambda c: c.headers(1, request_fields("POST"))
        + frame(PUSH_PROMISE, END_HEADERS, 1, u32(2) + c.block(request_fields())),
    ),
    "PING on a stream (6.7)": (PROTOCOL_ERROR, lambda c: frame(PING, 0, 1, b"\0" * 8)),
    "PING of a wrong size (6.7)": (FRAME_SIZE_ERROR, lambda c: frame(PING, 0, 0, b"\0" * 7)),
    "GOAWAY on a stream (6.8)": (PROTOCOL_ERROR, lambda c: frame(GOAWAY, 0, 1, u32(0) * 2)),
    "GOAWAY too short (6.8)": (FRAME_SIZE_ERROR, lambda c: frame(GOAWAY, 0, 0, u32(0))),
    "WINDOW_UPDATE of a wrong size (6.9)": (
        FRAME_SIZE_ERROR,
        lambda c: frame(WINDOW_UPDATE, 0, 0, b"\0\0\1"),
    ),
    "WINDOW_UPDATE of 0 on the connection (6.9)": (
        PROTOCOL_ERROR,
        lambda c: frame(WINDOW_UPDATE, 0, 0, u32(0)),
    ),
    "connection window over 2^31-1 (6.9.1)": (
        FLOW_CONTROL_ERROR,
        lambda c: frame(WINDOW_UPDATE, 0, 0, u32(0x7FFFFFFF)),
    ),
    "WINDOW_UPDATE on an idle stream (5.1)": (
        PROTOCOL_ERROR,
        lambda c: frame(WINDOW_UPDATE, 0, 1, u32(1)),
    ),
    "CONTINUATION of nothing (6.10)": (
        PROTOCOL_ERROR,
        lambda c: frame(CONTINUATION, END_HEADERS, 1, b"\x82"),
    ),
    "a frame inside a header block (6.10)": (
        PROTOCOL_ERROR,
        lambda c: c.headers(1, request_fields(), flags=0) + frame(PING, 0, 0, b"\0" * 8),
    ),
    "CONTINUATION on another stream (6.10)": (
        PROTOCOL_ERROR,
        lambda c: c.headers(1, request_fields(), flags=0)
        + frame(CONTINUATION, END_HEADERS, 3, b"\x82"),
    ),
    "an unknown frame inside a header block (5.5)": (
        PROTOCOL_ERROR,
        lambda c: c.headers(1, request_fields(), flags=0) + frame(0xEE, 0, 0, b"x"),
    ),
    "a frame over MAX_FRAME_SIZE (4.2)": (
        FRAME_SIZE_ERROR,
        lambda c: c.headers(1, request_fields("POST")) + frame(DATA, 0, 1, b"x" * 16385),
    ),
    "HPACK that does not decode (4.3)": (
        COMPRESSION_ERROR,
        lambda c: frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff\xff"),
    ),
    "HPACK index out of the table (4.3)": (
        COMPRESSION_ERROR,
        lambda c: frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xbf"),
    ),
    "HPACK table larger than allowed (RFC 7541 6.3)": (
        COMPRESSION_ERROR,
        lambda c: frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x3f\xe1\xff\x03\x82"),
    ),
}

# Behind END_STREAM, while the answer is awaited: an error of the stream.
AFTER_THE_END = {
    "DATA": lambda c: frame(DATA, 0, 1, b"x"),
    "HEADERS": lambda c: c.headers(1, [("x", "y")], end=True),
}

CONNECTION_FIELDS = [
    ("connection", "close"),
    ("keep-alive", "timeout=5"),
    ("proxy-connection", "close"),
    ("transfer-encoding", "chunked"),
    ("upgrade", "websocket"),
    ("te", "gzip"),
]


def without(name):
    return [f for f in request_fields() if f[0] != name]


# Malformed messages (8.1.1): stream errors of PROTOCOL_ERROR. Heads that end the stream.
BAD_HEADS = {
    "no :method": without(":method"),
    "no :scheme": without(":scheme"),
    "no :path": without(":path"),
    "empty :path": request_fields(path=""),
    "two :method": request_fields() + [(":method", "GET")],
    "two :path": [(":path", "/")] + request_fields(),
    "unknown pseudo-field": [(":x", "y")] + request_fields(),
    ":status in a request": [(":status", "200")] + request_fields(),
    "pseudo-field after a field": [(":method", "GET"), ("a", "b")] + request_fields()[1:],
    ":authority and another host": request_fields() + [("host", "b.example")],
    "name in upper case": request_fields("GET", "/", ("X-A", "b")),
    "name with a space": request_fields("GET", "/", ("x a", "b")),
    "name with a colon": request_fields("GET", "/", ("x:a", "b")),
    "empty name": request_fields("GET", "/", ("", "b")),
    "LF in a value": request_fields("GET", "/", ("x", "a\nb")),
    "CR in a value": request_fields("GET", "/", ("x", "a\rb")),
    "NUL in a value": request_fields("GET", "/", ("x", "a\0b")),
    "space before a value": request_fields("GET", "/", ("x", " a")),
    "space after a value": request_fields("GET", "/", ("x", "a ")),
    "bad :authority": request_fields(authority="a b"),
    "userinfo in :authority": request_fields(authority="user@a.example"),
    "bad :path": request_fields(path="x"),
    "space in :path": request_fields(path="/a b"),
    "method that is no token": request_fields(method="G(T"),
    "content-length without a body": request_fields("POST", "/", ("content-length", "5")),
    "malformed content-length": request_fields("POST", "/", ("content-length", "0x0")),
    "two content-lengths": request_fields(
        "POST", "/", ("content-length", "0"), ("content-length", "1")
    ),
}
BAD_HEADS.update(("the field %s: %s" % f, request_fields("GET", "/", f)) for f in CONNECTION_FIELDS)


class Rules(harness.PeerCase):
    def setUp(self):
        super().setUp()
        harness.need_module("hpack", "python3-hpack")
        self.origin = http1.Origin(lambda r: http1.ok(r.target.encode()))
        self.addCleanup(self.origin.close)
        self.gw = self.start_gw([cluster("web", self.origin.port)])

    def tearDown(self):
        self.assertEqual(self.origin.errors, [])

    def client(self):
        return Client(self.gw.port)

    def expect_goaway(self, c, code):
        f = c.find(GOAWAY)
        self.assertIsNotNone(f, "GOAWAY must be sent before the end")
        codes = code if isinstance(code, tuple) else (code,)
        self.assertIn(f.code, codes)
        self.assertIsNone(c.find(PING, 1), "the connection ends")

    def expect_reset(self, c, stream, code):
        f = c.find(RST_STREAM, stream)
        self.assertIsNotNone(f, "RST_STREAM, not the end of the connection")
        self.assertEqual(f.code, code)

    def expect_alive(self, c, stream):
        """The connection still serves."""
        c.send(c.headers(stream, request_fields("GET", "/alive"), end=True))
        fields, body, _, code = c.message(stream)
        self.assertEqual((dict(fields)[":status"], body, code), ("200", b"/alive", None))

    def test_connection_errors(self):
        for name, (code, said) in CONNECTION_ERRORS.items():
            with self.subTest(name), self.client().settle() as c:
                c.send(said(c))
                self.expect_goaway(c, code)
        with self.client() as c:
            self.expect_alive(c, 1)

    def test_frames_after_the_end(self):
        for name, said in AFTER_THE_END.items():
            with self.subTest(name), self.client().settle() as c:
                c.send(c.headers(1, request_fields("POST"), end=True) + said(c))
                self.expect_reset(c, 1, STREAM_CLOSED)
                self.expect_alive(c, 3)

    def test_broken_prefaces(self):
        for name, said in {
            "another magic": b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + frame(SETTINGS, 0, 0),
            "no SETTINGS first": PREFACE + frame(PING, 0, 0, b"\0" * 8),
            "an ACK first": PREFACE + frame(SETTINGS, ACK, 0),
            "a request first": PREFACE + frame(HEADERS, 5, 1, b"\x82\x86\x84\x41\x01a"),
        }.items():
            with self.subTest(name), Client(self.gw.port, preface=False) as c:
                c.send(said)
                first = c.exact(5)
                if first == b"HTTP/":  # not taken for HTTP/2 at all
                    self.assertRegex(first + c.line(), b"HTTP/1.1 (400|505) ")
                    continue
                c.ahead = first + c.ahead
                self.expect_goaway(c, PROTOCOL_ERROR)
        self.assertEqual(self.origin.requests, [])

    def test_preface_byte_by_byte(self):
        with Client(self.gw.port, preface=False) as c:
            said = PREFACE + frame(SETTINGS, 0, 0) + c.headers(1, request_fields(), end=True)
            for i in range(len(said)):
                c.send(said[i : i + 1])
            self.assertEqual(dict(c.message(1)[0])[":status"], "200")

    def test_malformed_requests(self):
        """A stream error, nothing upstream, and the connection goes on."""
        for name, fields in BAD_HEADS.items():
            self.origin.requests.clear()
            with self.subTest(name), self.client().settle() as c:
                c.send(c.headers(1, fields, end=True))
                self.expect_malformed(c, 1)
                self.assertEqual(self.origin.requests, [])
                self.expect_alive(c, 3)

    def expect_malformed(self, c, stream):
        """8.1.1: PROTOCOL_ERROR, or an answer before it."""
        answer, _, _, code = c.message(stream)
        if answer is None:
            self.assertEqual(code, PROTOCOL_ERROR)
        else:
            self.assertEqual(dict(answer)[":status"], "400")

    def test_lengths_that_do_not_fit(self):
        for name, length, body in (("more", "3", b"abcd"), ("less", "5", b"abcd")):
            with self.subTest(name), self.client().settle() as c:
                c.send(c.headers(1, request_fields("POST", "/", ("content-length", length))))
                c.send(frame(DATA, END_STREAM, 1, body))
                self.expect_malformed(c, 1)
                self.expect_alive(c, 3)
        self.assertEqual([r.target for r in self.origin.requests], ["/alive", "/alive"])

    def test_bad_trailers(self):
        cases = {
            "pseudo-field": ([(":method", "GET")], True),
            "upper case": ([("X-A", "b")], True),
            "trailers that do not end the stream": ([("x-a", "b")], False),
        }
        for name, (fields, end) in cases.items():
            with self.subTest(name), self.client().settle() as c:
                c.send(c.headers(1, request_fields("POST")) + frame(DATA, 0, 1, b"abc"))
                c.send(c.headers(1, fields, end=end))
                self.expect_malformed(c, 1)
                self.expect_alive(c, 3)

    def test_stream_window_of_zero_or_too_large(self):
        for name, grant, code in (
            ("0", 0, PROTOCOL_ERROR),
            ("over 2^31-1", 0x7FFFFFFF, FLOW_CONTROL_ERROR),
        ):
            with self.subTest(name), self.client().settle() as c:
                c.send(c.headers(1, request_fields("POST")))
                c.send(frame(WINDOW_UPDATE, 0, 1, u32(grant)))
                self.expect_reset(c, 1, code)
                self.expect_alive(c, 3)

    def test_priority_of_a_wrong_size(self):
        """6.3: a stream error of FRAME_SIZE_ERROR."""
        with self.client().settle() as c:
            c.send(c.headers(1, request_fields("POST")) + frame(PRIORITY, 0, 1, b"\0" * 4))
            f = c.read()
            while f.kind not in (RST_STREAM, GOAWAY):
                f = c.read()
            self.assertEqual(f.code, FRAME_SIZE_ERROR)

    def test_frames_on_a_closed_stream(self):
        """5.1: a stream that ended both ways; DATA and HEADERS on it are STREAM_CLOSED."""
        for name, said in {
            "DATA": lambda c: frame(DATA, 0, 1, b"x"),
            "HEADERS": lambda c: c.headers(1, request_fields(), end=True),
        }.items():
            with self.subTest(name), self.client().settle() as c:
                open_get(c, 1)
                c.message(1)
                c.send(said(c))
                f = c.read()
                while f.kind not in (RST_STREAM, GOAWAY):
                    f = c.read()
                self.assertEqual(f.code, STREAM_CLOSED)

    def test_frames_after_our_reset(self):
        """After the client's own RST_STREAM, more on the stream is STREAM_CLOSED."""
        with self.client().settle() as c:
            c.send(c.headers(1, request_fields("POST")))
            c.send(frame(RST_STREAM, 0, 1, u32(CANCEL)) + frame(DATA, 0, 1, b"x"))
            f = c.read()
            while f.kind not in (RST_STREAM, GOAWAY):
                f = c.read()
            self.assertEqual(f.code, STREAM_CLOSED)

    def test_what_is_allowed_on_a_closed_stream(self):
        """5.1: WINDOW_UPDATE, RST_STREAM and PRIORITY may still arrive."""
        with self.client().settle() as c:
            open_get(c, 1)
            c.message(1)
            c.send(frame(WINDOW_UPDATE, 0, 1, u32(1)) + frame(RST_STREAM, 0, 1, u32(CANCEL)))
            c.send(frame(PRIORITY, 0, 1, b"\0" * 5))
            self.expect_alive(c, 3)

    def test_unknown_frames_and_settings_are_ignored(self):
        """4.1, 5.5, 6.5.2."""
        with self.client().settle() as c:
            c.send(frame(0xEE, 0xFF, 0, b"abc") + frame(0xEE, 0xFF, 1, b"abc"))
            c.send(frame(SETTINGS, 0, 0, setting(0xFFFF, 7)))
            self.expect_alive(c, 1)

    def test_padding_and_continuations(self):
        with self.client().settle() as c:
            block = c.block(request_fields("POST", "/alive", ("x", "y" * 100)))
            c.send(frame(HEADERS, PADDED, 1, b"\x03" + block[:9] + b"\0" * 3))
            for i in range(9, len(block), 40):
                last = i + 40 >= len(block)
                c.send(frame(CONTINUATION, END_HEADERS if last else 0, 1, block[i : i + 40]))
            c.send(frame(DATA, PADDED, 1, b"\x05abc" + b"\0" * 5))
            c.send(frame(DATA, END_STREAM, 1))
            self.assertEqual(dict(c.message(1)[0])[":status"], "200")
        self.assertEqual(self.origin.requests[0].body, b"abc")

    def test_ping_is_answered(self):
        with self.client().settle() as c:
            c.send(frame(PING, 0, 0, b"12345678"))
            self.assertEqual(c.find(PING, 0, ACK).payload, b"12345678")

    def expect_calm(self, c, said, times):
        """ENHANCE_YOUR_CALM before it is over; or nothing is read any more until we read."""
        c.sock.settimeout(3)
        try:
            step = min(times, 100)
            for _ in range(times // step):
                c.send(said * step)
        except (ConnectionError, TimeoutError):
            return
        c.sock.settimeout(harness.WAIT)
        f = c.find(GOAWAY)
        if f is not None:  # None: reset, since more of the flood was on its way
            self.assertEqual(f.code, ENHANCE_YOUR_CALM)

    def test_floods(self):
        """Of PING, SETTINGS, empty DATA, empty CONTINUATION; streams opened and reset."""
        floods = {
            "PING": frame(PING, 0, 0, b"\0" * 8),
            "SETTINGS": frame(SETTINGS, 0, 0, setting(1, 4096)),
            "empty DATA": frame(DATA, 0, 1),
            "empty CONTINUATION": frame(CONTINUATION, 0, 3),
        }
        for name, said in floods.items():
            with self.subTest(name), self.client().settle() as c:
                if name == "empty DATA":
                    c.send(c.headers(1, request_fields("POST")))
                if name == "empty CONTINUATION":
                    c.send(c.headers(3, request_fields(), flags=0))
                self.expect_calm(c, said, 100000)
        with self.subTest("rapid reset"), self.client().settle() as c:
            pairs = (
                c.headers(i, request_fields(), end=True) + frame(RST_STREAM, 0, i, u32(CANCEL))
                for i in range(1, 40001, 2)
            )
            self.expect_calm(c, b"".join(pairs), 1)
        with self.client() as c:
            self.expect_alive(c, 1)
        self.assertLess(self.gw.rss_kib(), harness.RSS_BOUND_KIB)

    def test_header_list_over_the_limit(self):
        """Refused by 431 on its stream; the connection, and HPACK with it, goes on."""
        with self.client().settle() as c:
            c.send(
                c.headers(
                    1,
                    request_fields("GET", "/", *[("x-%d" % i, "y") for i in range(300)]),
                    end=True,
                )
            )
            fields, _, _, code = c.message(1)
            self.assertEqual(dict(fields)[":status"] if fields else code, "431")
            big = c.block(
                request_fields("GET", "/", *[("x-%d" % i, "z" * 4000) for i in range(12)])
            )
            c.send(frame(HEADERS, END_STREAM, 3, big[:16000]))
            pieces = [big[i : i + 16000] for i in range(16000, len(big), 16000)]
            for i, piece in enumerate(pieces):
                c.send(frame(CONTINUATION, END_HEADERS if i + 1 == len(pieces) else 0, 3, piece))
            fields, _, _, code = c.message(3)
            self.assertEqual(dict(fields)[":status"] if fields else code, "431")
            self.expect_alive(c, 5)

    def test_streams_over_the_limit(self):
        """5.1.2: refused, one by one; those that are there go on."""
        held = []

        def serve(stream):
            stream.request()
            held.append(stream)
            stream.at_end()

        slow = http1.Server(serve)
        self.addCleanup(slow.close)
        self.gw = self.start_gw([cluster("web", slow.port)], limits={"h2_streams": 8})
        with self.client().settle() as c:
            for i in range(9):
                c.send(c.headers(1 + 2 * i, request_fields(), end=True))
            self.expect_reset(c, 17, REFUSED_STREAM)
            harness.until("eight requests", lambda: len(held) == 8)
            for stream in held:
                stream.send(http1.ok())
            for i in range(8):
                self.assertEqual(c.find(HEADERS).fields[0], (":status", "200"))

    def test_flow_control_is_kept(self):
        """6.9: never more than the client's window; the rest after more is granted."""
        body = harness.pattern(200000)
        self.origin.answer = lambda r: http1.ok(body)
        with Client(self.gw.port, settings=setting(4, 1000)) as c:
            c.settle().credit = False
            open_get(c, 1)
            got = b""
            while len(got) < 1000:
                got += c.find(DATA, 1).payload
            self.assertEqual(len(got), 1000)
            c.send(frame(PING, 0, 0, b"nothing!"))
            while True:
                f = c.read()
                self.assertNotEqual(f.kind, DATA, "DATA over the window")
                if f.kind == PING:
                    break
            c.send(
                frame(WINDOW_UPDATE, 0, 1, u32(1 << 20)) + frame(WINDOW_UPDATE, 0, 0, u32(1 << 20))
            )
            while len(got) < len(body):
                got += c.find(DATA, 1).payload
            self.assertEqual(got, body)

    def test_more_than_our_window(self):
        """6.9.1: DATA beyond what was granted is FLOW_CONTROL_ERROR."""
        held = threading.Event()
        server = http1.Server(lambda stream: (stream.request_head(), held.wait()))
        self.addCleanup(held.set)
        self.addCleanup(server.close)
        self.gw = self.start_gw([cluster("web", server.port)])
        with self.client().settle() as c:
            c.send(c.headers(1, request_fields("POST")))
            f = None
            try:
                for _ in range(4096):
                    c.send(frame(DATA, 0, 1, b"x" * 16384))
            except ConnectionError:
                return  # ended while we sent on
            while f is None or f.kind not in (RST_STREAM, GOAWAY):
                f = c.read()
            self.assertEqual(f.code, FLOW_CONTROL_ERROR)

    def test_cookies_and_host(self):
        """8.2.3: crumbs are joined for HTTP/1; Host alone is as good as :authority."""
        with self.client().settle() as c:
            fields = without(":authority") + [("host", "b.example")]
            c.send(c.headers(1, fields + [("cookie", "a=1"), ("cookie", "b=2")], end=True))
            c.message(1)
        request = self.origin.requests[0]
        self.assertEqual((request.get("cookie"), request.get("host")), ("a=1; b=2", "b.example"))

    def test_interleaved_streams(self):
        """Uploads on many streams at once, piece by piece."""
        self.origin.answer = lambda r: http1.ok(r.target.encode() + b" " + r.body)
        with self.client().settle() as c:
            streams = range(1, 41, 2)
            for i in streams:
                c.send(c.headers(i, request_fields("POST", "/%d" % i)))
            for piece in range(5):
                for i in streams:
                    c.send(frame(DATA, END_STREAM if piece == 4 else 0, i, b"%d" % piece))
            seen = {}
            while len(seen) < len(streams):
                f = c.read()
                if f.kind == DATA and f.payload:
                    seen[f.stream] = f.payload
            self.assertEqual(seen, {i: b"/%d 01234" % i for i in streams})


class UpstreamRules(harness.PeerCase):
    """What an h2 upstream may not do: its connection or stream fails, the client hears 502."""

    def answer(self, said, code):
        """One request through; said(connection, stream id) is what the upstream sends."""

        def serve(c):
            f = c.find(HEADERS)
            while not f.is_end:
                f = c.read()
            c.send(said(c, f.stream))
            c.at_end()

        server = Server(serve)
        self.addCleanup(server.close)
        gw = self.start_gw([cluster("web", server.port, "h2")])
        with http1.Client(gw.port) as c:
            c.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            answer = c.response()
            self.assertEqual(answer.status, code)
        return gw.entry(status=code)["cause"]

    def test_bad_answers(self):
        cases = {
            "no :status": lambda c, i: c.headers(i, [("a", "b")], end=True),
            ":status of 99": lambda c, i: c.headers(i, [(":status", "99")], end=True),
            "upper case": lambda c, i: c.headers(i, [(":status", "200"), ("A", "b")], end=True),
            "connection field": lambda c, i: c.headers(
                i, [(":status", "200"), ("connection", "x")], end=True
            ),
            "length without a body": lambda c, i: c.headers(
                i, [(":status", "200"), ("content-length", "5")], end=True
            ),
            "101": lambda c, i: c.headers(i, [(":status", "101")]),
        }
        for name, said in cases.items():
            with self.subTest(name):
                self.assertIn("upstream_bad_response", self.answer(said, 502))

    def test_reset(self):
        cause = self.answer(lambda c, i: frame(RST_STREAM, 0, i, u32(INTERNAL_ERROR)), 502)
        self.assertIn("upstream_reset", cause)

    def test_connection_that_breaks_the_protocol(self):
        cause = self.answer(lambda c, i: frame(DATA, 0, 0, b"x"), 502)
        self.assertTrue(cause.startswith("upstream/"), cause)


if __name__ == "__main__":
    harness.main()
