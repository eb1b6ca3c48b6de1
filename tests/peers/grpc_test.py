"""gRPC clients and servers in Python and JavaScript with gw between them, and servers by hand.

Messages are bytes as they are.
"""

import hashlib
import os
import queue
import struct
import threading
import time
import unittest

import frames
import harness
from frames import END_STREAM, HEADERS, DATA, RST_STREAM
from harness import HERE, HOST, cluster, free_port, need, need_module, route

NODE = os.path.join(HERE, "node")


def need_node():
    node = need("node")
    if not os.path.isdir(os.path.join(NODE, "node_modules", "@grpc", "grpc-js")):
        harness.lack("no @grpc/grpc-js (npm ci --ignore-scripts in tests/peers/node)")
    return node


def start_origin(ground, kind):
    port = free_port()
    address = "%s:%d" % (HOST, port)
    if kind == "node":
        ground.start(need_node(), os.path.join(NODE, "origin.js"), address, port=port)
    else:
        ground.start(
            "/usr/bin/python3",
            os.path.join(HERE, "grpc_origin.py"),
            address,
            port=port,
            name="origin",
        )
    return port


def grpc_message(content):
    return b"\0" + struct.pack(">I", len(content)) + content


def call_fields(path="/raw.Echo/Call", *more):
    return frames.request_fields(
        "POST", path, ("content-type", "application/grpc"), ("te", "trailers"), *more
    )


HEAD = [(":status", "200"), ("content-type", "application/grpc")]


class Raw(frames.Server):
    """An h2 upstream that keeps the requests' fields and what it was told to, stream by stream."""

    def __init__(self, on_frame):
        self.on_frame = on_frame
        self.fields = []
        self.resets = queue.Queue()
        super().__init__(self._serve)

    def _serve(self, connection):
        while True:
            f = connection.read()
            if f.kind == HEADERS and len(f.fields) > 2:
                self.fields.append(dict(f.fields))
            if f.kind == RST_STREAM:
                self.resets.put((f.stream, f.code))
            self.on_frame(connection, f)


class PythonClient:
    """python3-grpcio as the client; the subclasses say which server is behind."""

    origin_kind = ""

    @classmethod
    def setUpClass(cls):
        cls.grpc = need_module("grpc", "python3-grpcio")
        cls.origin = need_module("grpc_origin", "python3-grpcio")
        cls.ground = harness.Ground()
        cls.addClassCleanup(cls.ground.close)
        port = start_origin(cls.ground, cls.origin_kind)
        cls.gw = cls.ground.start_gw(
            [cluster("rpc", port, "h2"), cluster("refused", free_port(), "h2")],
            [
                route("echo", "rpc", "/echo.Echo"),
                route("nobody", "refused", "/nobody.Echo"),
            ],
        )
        cls.channel = cls.grpc.insecure_channel(
            "%s:%d" % (HOST, cls.gw.port), options=cls.origin.LIMIT
        )
        cls.addClassCleanup(cls.channel.close)

    def unary(self, name, message=b"", service="echo", timeout=20, **more):
        call = self.channel.unary_unary("/%s.Echo/%s" % (service, name))
        return call.with_call(message, timeout=timeout, **more)

    def expect_error(self, code, name, message=b"", **more):
        with self.assertRaises(self.grpc.RpcError) as caught:
            self.unary(name, message, **more)
        self.assertEqual(caught.exception.code(), code, caught.exception)
        return caught.exception

    def test_unary(self):
        answer, call = self.unary(
            "Unary", b"hello", metadata=[("x-text", "some text"), ("x-some-bin", b"\0\1\xfe\xff")]
        )
        self.assertEqual(answer, b"hello")
        metadata = dict(call.initial_metadata())
        self.assertEqual(metadata["x-text"], "some text")
        self.assertEqual(metadata["x-some-bin"], b"\0\1\xfe\xff")
        trailing = dict(call.trailing_metadata())
        self.assertEqual((trailing["x-trailing"], trailing["x-trailing-bin"]), ("yes", b"\0\xff"))

    def test_messages_of_many_sizes(self):
        for size in (0, 1, 100, 16379, 16384, 65535, 65536, 1 << 20, 4 << 20):
            with self.subTest(size):
                message = harness.pattern(size, size + 1)
                self.assertEqual(self.unary("Unary", message)[0], message)

    def test_server_streaming(self):
        call = self.channel.unary_stream("/echo.Echo/Download")
        got = list(call(b"500 4000", timeout=20))
        self.assertEqual(got, [bytes([i % 256]) * 4000 for i in range(500)])

    def test_slow_reader_of_a_large_stream(self):
        """100 MiB to a client that pauses: nothing is lost, and gw does not hold it."""
        call = self.channel.unary_stream("/echo.Echo/Download")(b"100 1000000", timeout=60)
        first = next(call)
        peak = 0
        for i, message in enumerate(call):
            self.assertEqual(len(message), len(first))
            peak = max(peak, self.gw.rss_kib()) if i % 10 == 0 else peak
        self.assertLess(peak, harness.RSS_BOUND_KIB)

    def test_client_streaming(self):
        call = self.channel.stream_unary("/echo.Echo/Upload")
        messages = [bytes([i % 256]) * 4000 for i in range(500)]
        answer = call(iter(messages), timeout=20)
        sha = hashlib.sha256(b"".join(messages)).hexdigest()
        self.assertEqual(answer.decode(), "500 2000000 " + sha)

    def test_chat_is_not_buffered(self):
        """Each answer comes before the next question is asked."""
        questions = queue.Queue()
        call = self.channel.stream_stream("/echo.Echo/Chat")(iter(questions.get, None), timeout=20)
        for i in range(200):
            questions.put(b"ping %d" % i)
            self.assertEqual(next(call), b"ping %d" % i)
        questions.put(None)
        self.assertRaises(StopIteration, next, call)
        self.assertEqual(call.code(), self.grpc.StatusCode.OK)

    def test_error_with_details(self):
        error = self.expect_error(self.grpc.StatusCode.NOT_FOUND, "Fail", b"x")
        self.assertEqual(error.details(), self.origin.TEXT)
        self.assertEqual(
            dict(error.trailing_metadata())["grpc-status-details-bin"], self.origin.DETAILS
        )

    def test_unknown_method(self):
        self.expect_error(self.grpc.StatusCode.UNIMPLEMENTED, "None")

    def test_no_route(self):
        self.expect_error(self.grpc.StatusCode.UNIMPLEMENTED, "Unary", service="elsewhere")

    def test_refused_upstream(self):
        self.expect_error(self.grpc.StatusCode.UNAVAILABLE, "Unary", service="nobody")
        entry = self.gw.entry(cluster="refused")
        self.assertIn("upstream_connect_refused", entry["cause"])
        self.assertEqual(entry["grpc_status"], 14)

    def test_deadline_reaches_the_server(self):
        left = int(self.unary("Left", timeout=15)[0])
        self.assertTrue(5000 < left <= 15500, left)  # gRPC's C core rounds up

    def cancelled(self):
        return int(self.unary("Cancelled")[0])

    def test_deadline(self):
        before = self.cancelled()
        self.expect_error(self.grpc.StatusCode.DEADLINE_EXCEEDED, "Hang", timeout=0.4)
        harness.until("the server's cancellation", lambda: self.cancelled() == before + 1)

    def test_cancellation_reaches_the_server(self):
        before = self.cancelled()
        # As a stream, so that the initial metadata is told when it comes: the server has the call.
        call = self.channel.unary_stream("/echo.Echo/Hang")(b"x", timeout=20)
        call.initial_metadata()
        self.assertTrue(call.is_active())
        call.cancel()
        harness.until("the server's cancellation", lambda: self.cancelled() == before + 1)

    def test_many_at_once(self):
        calls = [
            self.channel.unary_unary("/echo.Echo/Unary").future(b"call %d" % i, timeout=20)
            for i in range(300)
        ]
        self.assertEqual([c.result() for c in calls], [b"call %d" % i for i in range(300)])


class PythonToPython(PythonClient, unittest.TestCase):
    origin_kind = "python"


class PythonToNode(PythonClient, unittest.TestCase):
    origin_kind = "node"


class NodeClient(harness.PeerCase):
    def check(self, kind):
        node = need_node()
        port = start_origin(self.ground, kind)
        gw = self.start_gw([cluster("rpc", port, "h2")])
        status, out, error = harness.run_program(
            node, os.path.join(NODE, "client.js"), "%s:%d" % (HOST, gw.port)
        )
        self.assertEqual(status, 0, out.decode() + error)

    def test_node_to_node(self):
        self.check("node")

    def test_node_to_python(self):
        need_module("grpc", "python3-grpcio")
        self.check("python")


class ByHand(harness.PeerCase):
    """Upstreams and clients of raw frames, for what no gRPC library does on demand."""

    def start_raw(self, on_frame, **more):
        need_module("hpack", "python3-hpack")
        self.origin = Raw(on_frame)
        self.addCleanup(self.origin.close)
        self.gw = self.start_gw([cluster("rpc", self.origin.port, "h2")], **more)

    def test_deadline_is_enforced_and_forwarded_decremented(self):
        """A server that never answers: gw itself says DEADLINE_EXCEEDED and cancels."""
        self.start_raw(lambda c, f: None)
        with frames.Client(self.gw.port).settle() as c:
            begun = time.monotonic()
            c.send(c.headers(1, call_fields("/raw.Echo/Call", ("grpc-timeout", "400m"))))
            c.send(frames.frame(DATA, END_STREAM, 1, grpc_message(b"x")))
            fields, body, trailers, code = c.message(1)
            self.assertGreaterEqual(time.monotonic() - begun, 0.35)
            self.assertEqual((body, trailers, code), (b"", None, None), "trailers-only")
            fields = dict(fields)
            self.assertEqual((fields[":status"], fields["grpc-status"]), ("200", "4"))
            self.assertEqual(fields["content-type"], "application/grpc")
        self.assertEqual(self.origin.resets.get(timeout=harness.WAIT)[1], frames.CANCEL)
        forwarded = self.origin.fields[0]["grpc-timeout"]
        unit = {"H": 3600e3, "M": 60e3, "S": 1e3, "m": 1, "u": 1e-3, "n": 1e-6}[forwarded[-1]]
        self.assertLess(int(forwarded[:-1]) * unit, 400, "decremented")
        self.assertIn("grpc_deadline", self.gw.entry(grpc_status=4)["cause"])

    def test_deadline_after_the_head_of_the_answer(self):
        """The stream ends with trailers that say so, and the upstream is cancelled."""

        def begin(c, f):
            if f.kind == HEADERS:
                c.send(c.headers(f.stream, HEAD))

        self.start_raw(begin)
        with frames.Client(self.gw.port).settle() as c:
            fields = call_fields("/raw.Echo/Call", ("grpc-timeout", "300m"))
            c.send(c.headers(1, fields, end=True))
            head, _, trailers, code = c.message(1)
            self.assertEqual((dict(head)[":status"], code), ("200", None))
            self.assertEqual(dict(trailers)["grpc-status"], "4")
        self.assertEqual(self.origin.resets.get(timeout=harness.WAIT)[1], frames.CANCEL)
        self.assertIn("grpc_deadline", self.gw.entry(grpc_status=4)["cause"])

    def test_cancel_reaches_the_upstream(self):
        seen = threading.Event()
        self.start_raw(lambda c, f: seen.set() if f.kind == HEADERS else None)
        with frames.Client(self.gw.port).settle() as c:
            c.send(c.headers(1, call_fields()))
            self.assertTrue(seen.wait(harness.WAIT))
            c.send(frames.frame(RST_STREAM, 0, 1, struct.pack(">I", frames.CANCEL)))
            self.assertEqual(self.origin.resets.get(timeout=harness.WAIT)[1], frames.CANCEL)
        self.assertTrue(self.gw.entry()["cause"].startswith("client/"))

    def test_closed_client_reaches_the_upstream(self):
        seen = threading.Event()
        self.start_raw(lambda c, f: seen.set() if f.kind == HEADERS else None)
        with frames.Client(self.gw.port).settle() as c:
            c.send(c.headers(1, call_fields()))
            self.assertTrue(seen.wait(harness.WAIT))
        self.assertEqual(self.origin.resets.get(timeout=harness.WAIT)[1], frames.CANCEL)

    @staticmethod
    def answer_early(c, f):
        """Answers a call at its head, and resets with NO_ERROR: no more of it is wanted."""
        if f.kind == HEADERS:
            c.send(
                c.headers(f.stream, HEAD)
                + frames.frame(DATA, 0, f.stream, grpc_message(b"early"))
                + c.headers(f.stream, [("grpc-status", "0"), ("x-why", "enough")], end=True)
                + frames.frame(RST_STREAM, 0, f.stream, struct.pack(">I", frames.NO_ERROR))
            )

    def test_trailers_before_the_client_has_ended(self):
        """Trailers, then RST_STREAM(NO_ERROR): the client sees the trailers, not CANCELLED."""
        self.start_raw(self.answer_early)
        with frames.Client(self.gw.port).settle() as c:
            for stream in (1, 3, 5):
                c.send(c.headers(stream, call_fields()))
                c.send(frames.frame(DATA, 0, stream, grpc_message(b"x" * 1000)))
                fields, body, trailers, code = c.message(stream)
                self.assertEqual(dict(fields)[":status"], "200")
                self.assertEqual(body, grpc_message(b"early"))
                self.assertEqual(dict(trailers), {"grpc-status": "0", "x-why": "enough"})
                self.assertIsNone(code)

    def test_trailers_only_error_before_the_client_has_ended(self):
        def refuse(c, f):
            if f.kind == HEADERS:
                c.send(c.headers(f.stream, HEAD + [("grpc-status", "8")], end=True))
                c.send(frames.frame(RST_STREAM, 0, f.stream, struct.pack(">I", frames.NO_ERROR)))

        self.start_raw(refuse)
        with frames.Client(self.gw.port).settle() as c:
            c.send(c.headers(1, call_fields()))
            fields, body, trailers, code = c.message(1)
            self.assertEqual((dict(fields)["grpc-status"], body, code), ("8", b"", None))
            self.assertIsNone(trailers)

    def test_python_client_with_an_early_answer(self):
        """The same as a real client sees it, in the middle of an upload that never ends."""
        grpc = need_module("grpc", "python3-grpcio")
        self.start_raw(self.answer_early)
        endless = queue.Queue()
        endless.put(b"y" * 100)
        with grpc.insecure_channel("%s:%d" % (HOST, self.gw.port)) as channel:
            call = channel.stream_unary("/raw.Echo/Call")
            answer, facts = call.with_call(iter(endless.get, None), timeout=20)
            endless.put(None)
            self.assertEqual(answer, b"early")
            self.assertEqual(dict(facts.trailing_metadata())["x-why"], "enough")

    def test_reset_upstream_is_unavailable(self):
        def reset(c, f):
            if f.kind == HEADERS:
                c.send(frames.frame(RST_STREAM, 0, f.stream, struct.pack(">I", 2)))

        self.start_raw(reset)
        with frames.Client(self.gw.port).settle() as c:
            c.send(c.headers(1, call_fields(), end=True))
            fields, _, _, _ = c.message(1)
            self.assertEqual(dict(fields)["grpc-status"], "14")

    def test_answer_cut_in_the_middle_is_seen_as_cut(self):
        def cut(c, f):
            if f.kind == HEADERS:
                c.send(c.headers(f.stream, HEAD))
                c.send(frames.frame(DATA, 0, f.stream, grpc_message(b"half")[:7]))
                c.send(frames.frame(RST_STREAM, 0, f.stream, struct.pack(">I", 2)))

        self.start_raw(cut)
        with frames.Client(self.gw.port).settle() as c:
            c.send(c.headers(1, call_fields(), end=True))
            _, body, trailers, code = c.message(1)
            if trailers is None:
                self.assertNotIn(code, (None, frames.NO_ERROR))
            else:
                self.assertEqual(dict(trailers)["grpc-status"], "14")
        self.assertIn("upstream_", self.gw.entry()["cause"])

    def test_refused_stream_is_tried_again(self):
        """REFUSED_STREAM proves that nothing was done: a retry may answer, or 14 is said."""
        tries = []

        def refuse_once(c, f):
            if f.kind == HEADERS:
                tries.append(f.stream)
                if len(tries) == 1:
                    c.send(frames.frame(RST_STREAM, 0, f.stream, struct.pack(">I", 7)))
                else:
                    c.send(c.headers(f.stream, HEAD + [("grpc-status", "0")], end=True))

        self.start_raw(refuse_once)
        with frames.Client(self.gw.port).settle() as c:
            c.send(c.headers(1, call_fields(), end=True))
            fields, _, _, _ = c.message(1)
            self.assertEqual(dict(fields)["grpc-status"], "0" if len(tries) == 2 else "14")

    def test_upstream_that_goes_away(self):
        """GOAWAY after each answer: calls one after another all succeed, on new connections."""

        def once(c, f):
            if f.kind == HEADERS:
                c.send(
                    c.headers(f.stream, HEAD + [("grpc-status", "0")], end=True)
                    + frames.frame(frames.GOAWAY, 0, 0, struct.pack(">II", f.stream, 0))
                )

        self.start_raw(once)
        with frames.Client(self.gw.port).settle() as c:
            for stream in range(1, 21, 2):
                c.send(c.headers(stream, call_fields(), end=True))
                fields, _, _, _ = c.message(stream)
                self.assertEqual(dict(fields)["grpc-status"], "0")
        self.assertGreater(self.origin.connections, 5)

    def test_calls_share_few_connections(self):
        def answer(c, f):
            if f.is_end:
                c.send(c.headers(f.stream, HEAD + [("grpc-status", "0")], end=True))

        self.start_raw(answer)
        clients = [frames.Client(self.gw.port).settle() for _ in range(20)]
        for c in clients:
            for stream in range(1, 21, 2):
                c.send(c.headers(stream, call_fields(), end=True))
        for c in clients:
            for stream in range(1, 21, 2):
                self.assertEqual(dict(c.find(HEADERS).fields)["grpc-status"], "0")
            c.sock.close()
        self.assertLessEqual(self.origin.connections, 8)

    def test_h1_listener(self):
        """h2 to a listener that speaks only h1 is refused at once, not left hanging."""
        self.start_raw(lambda c, f: None, edge={"protocols": ["h1"]})
        with frames.Client(self.gw.port) as c:
            line = c.line()
            self.assertRegex(line, rb"HTTP/1\.1 (400|505) ")
            c.rest()
        self.assertEqual(self.origin.fields, [])

    def test_h2_listener_refuses_h1(self):
        self.start_raw(lambda c, f: None, edge={"protocols": ["h2"]})
        with frames.Client(self.gw.port, preface=False) as c:
            c.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            c.sock.settimeout(harness.WAIT)
            self.assertNotIn(b" 200 ", c.rest())
        self.assertEqual(self.origin.fields, [])


if __name__ == "__main__":
    harness.main()
