"""Probes of real servers: killed, slow, wrong, garbled, and well again, while clients ask.

In each trouble of one of two endpoints the log says why, its requests go to the other, and after it
both are asked again. gRPC's health protocol is spoken by gRPC's own server.
"""

import signal
import threading
import unittest
from concurrent import futures

import harness
import http1
from harness import HOST, cluster, free_port, need_module, route

PROBES = {"interval": "50ms", "timeout": "200ms", "rise": 2, "fall": 2, "jitter_percent": 10}
LOST, BACK = "health.changed: unhealthy: ", "health.changed: healthy: "


class Moody(http1.Server):
    """Says its name to clients, and to probes what its mood is."""

    def __init__(self, name):
        self.name = name
        self.mood = b"good"
        self.probes = 0
        super().__init__(self.serve_one)

    def serve_one(self, stream):
        while not stream.at_end():
            request = stream.request()
            if request.target != "/health":
                stream.send(http1.ok(self.name))
                continue
            assert request.get("user-agent") == "libgw-health", request.fields
            assert request.has_token("connection", "close"), request.fields
            self.probes += 1
            self.answer(stream)
            return

    def answer(self, stream):
        mood = self.mood
        if mood == b"good":
            stream.send(http1.ok())
        elif mood == b"500":
            stream.send(http1.ok(status="500 No"))
        elif mood == b"redirect":
            stream.send(http1.ok(b"", "Location: /elsewhere", status="302 Found"))
        elif mood == b"mute":
            stream.at_end()
        elif mood == b"close":
            pass
        elif mood == b"reset":
            http1.reset(stream.sock)
        elif mood == b"garbage":
            stream.send(b"\x15\x03\x01\x00\x02\x02\x50\n" * 100)
            stream.at_end()
        elif mood == b"switch":
            stream.send(http1.text("HTTP/1.1 101 Switching Protocols", "Upgrade: x",
                                   "Connection: upgrade"))
            stream.at_end()
        elif mood == b"infos":
            while True:
                stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif mood == b"large":
            stream.send(b"HTTP/1.1 200 OK\r\n")
            while True:
                stream.send(b"X: " + b"x" * 1000 + b"\r\n")
        elif mood == b"endless-500":
            stream.send(b"HTTP/1.1 500 No\r\n\r\n")
            while True:
                stream.send(b"x" * 10000)
        elif mood == b"drip":
            for c in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":
                stream.send(bytes([c]))
        elif mood == b"endless":  # a good head is enough
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
            while True:
                stream.send(b"x" * 10000)


class Health(harness.PeerCase):
    def lines(self, what):
        return self.gw.log().count(what)

    def names(self, n=12):
        """Who has answered n requests, each on its own connection."""
        seen = []
        for _ in range(n):
            with http1.Client(self.gw.port) as c:
                c.send(http1.text("GET / HTTP/1.1", "Host: a.example"))
                answer = c.response()
                self.assertEqual(answer.status, 200)
                seen.append(answer.body)
        return sorted(set(seen))

    def in_trouble(self, why, begin, end):
        """begin() makes the endpoint one bad, end() good again."""
        bad, good = self.lines(LOST), self.lines(BACK)
        begin()
        harness.until("it to be unhealthy", lambda: self.lines(LOST) > bad)
        line = [l for l in self.gw.log().splitlines() if LOST in l][-1]
        self.assertIn("endpoint one", line)
        self.assertIn(why, line)
        self.assertEqual(self.names(), [b"two"])
        end()
        harness.until("it to be well", lambda: self.lines(BACK) > good)
        harness.until("its share", lambda: self.names() == [b"one", b"two"])


class HealthHttp(Health):
    def setUp(self):
        super().setUp()
        self.one, self.two = Moody(b"one"), Moody(b"two")
        self.addCleanup(self.one.close)
        self.addCleanup(self.two.close)

    def start_probing(self, **more):
        health = dict(PROBES, path="/health", **more)
        self.gw = self.start_gw(
            [
                {
                    "name": "web",
                    "health": health,
                    "endpoints": [
                        {"name": "one", "address": "%s:%d" % (HOST, self.one.port)},
                        {"name": "two", "address": "%s:%d" % (HOST, self.two.port)},
                    ],
                }
            ],
            workers=2,
        )
        harness.until("probes", lambda: self.one.probes > 2 and self.two.probes > 2)
        self.assertEqual(self.names(), [b"one", b"two"])

    def test_moods(self):
        self.start_probing()
        moods = {
            b"500": "status 500",
            b"redirect": "status 302",
            b"mute": "no answer in time",
            b"close": "closed without an answer",
            b"reset": "closed without an answer",
            b"garbage": "no answer that can be read",
            b"switch": "no answer that can be read",
            b"infos": "no answer that can be read",
            b"large": "no answer that can be read",
            b"endless-500": "status 500",
        }
        for mood, why in moods.items():
            with self.subTest(mood):
                self.in_trouble(
                    why,
                    lambda mood=mood: setattr(self.one, "mood", mood),
                    lambda: setattr(self.one, "mood", b"good"),
                )
        for mood in (b"endless", b"drip"):
            before = self.one.probes
            self.one.mood = mood
            harness.until("more probes", lambda before=before: self.one.probes > before + 4)
        self.assertEqual(self.names(), [b"one", b"two"])
        self.assertEqual(self.one.errors + self.two.errors, [])
        self.assertLess(self.gw.rss_kib(), harness.RSS_BOUND_KIB)
        self.gw.end()
        self.assertEqual({e["cause"] for e in self.gw.entries()}, {"none"})

    def test_all_in_trouble(self):
        """All are asked when all are unhealthy: probes that are wrong about everybody break nothing."""
        self.start_probing()
        self.one.mood = self.two.mood = b"500"
        harness.until("both to be unhealthy", lambda: self.lines(LOST) == 2)
        self.assertEqual(self.names(), [b"one", b"two"])

    def test_reload(self):
        """What is known outlives a reload; SIGTERM ends in time with probes that hang."""
        self.start_probing()
        self.one.mood = b"mute"
        harness.until("it to be unhealthy", lambda: self.lines(LOST) == 1)
        for i in range(5):
            self.gw.process.send_signal(signal.SIGHUP)
            harness.until("the reload", lambda i=i: self.lines("configuration") >= i + 1)
            self.assertEqual(self.names(), [b"two"])
        self.assertEqual(self.lines(LOST), 1)
        self.assertEqual(self.gw.end(), 0)


class HealthNginx(Health):
    """A process that is killed, stopped and started again."""

    def start_one(self, name):
        port = self.ports[name]
        return self.start_nginx("  server { listen %s:%d%s; location / { return 200 %s; } }" % (
            HOST, port, self.more, name), port, name)

    def tried(self, protocol, kind, why_stopped):
        self.more = " http2" if protocol == "h2" else ""
        self.ports = {"one": free_port(), "two": free_port()}
        processes = {name: self.start_one(name) for name in self.ports}
        self.gw = self.start_gw([{
            "name": "web", "protocol": protocol, "health": dict(PROBES, kind=kind),
            "endpoints": [{"name": n, "address": "%s:%d" % (HOST, p)}
                          for n, p in self.ports.items()],
        }], workers=2)
        harness.until("both", lambda: self.names() == [b"one", b"two"])

        def kill():
            processes["one"].end(signal.SIGKILL)

        def again():
            processes["one"] = self.start_one("one")

        self.in_trouble("no connection", kill, again)
        if why_stopped:
            stop = processes["one"].process.send_signal
            self.in_trouble(why_stopped, lambda: stop(signal.SIGSTOP), lambda: stop(signal.SIGCONT))

    def test_http(self):
        self.tried("h1", "http", "no answer in time")

    def test_http2(self):
        self.tried("h2", "http", "no answer in time")

    def test_tcp(self):
        self.tried("h1", "tcp", None)  # the kernel still takes connections of who is stopped


class HealthGrpc(Health):
    """gRPC's server, with the health service of its own protocol."""

    def serve(self, name):
        grpc = self.grpc
        said = self.said

        class Handler(grpc.GenericRpcHandler):
            def service(self, call):
                if call.method == "/a.B/Name":
                    return grpc.unary_unary_rpc_method_handler(lambda request, context: name)
                if call.method == "/grpc.health.v1.Health/Check" and said[name] is not None:
                    return grpc.unary_unary_rpc_method_handler(check)
                return None

        def check(request, context):
            assert request == b"\x0a\x03a.B", request
            if isinstance(said[name], bytes):
                return said[name]
            context.abort(said[name], "as it was told")

        server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Handler()],
                             options=[("grpc.so_reuseport", 0)])
        self.assertEqual(server.add_insecure_port("%s:%d" % (HOST, self.ports[name])),
                         self.ports[name])
        server.start()
        self.servers[name] = server

    def stop(self, name):
        self.servers[name].stop(None).wait()

    def names(self, n=12):
        call = self.channel.unary_unary("/a.B/Name")
        return sorted({call(b"", timeout=10) for _ in range(n)})

    def test_health_protocol(self):
        self.grpc = need_module("grpc", "python3-grpcio")
        self.ports = {b"one": free_port(), b"two": free_port()}
        self.said = {name: b"\x08\x01" for name in self.ports}
        self.servers = {}
        for name in self.ports:
            self.serve(name)
            self.addCleanup(lambda name=name: self.stop(name))
        self.gw = self.start_gw([{
            "name": "rpc", "protocol": "h2",
            "health": dict(PROBES, kind="grpc", service="a.B"),
            "endpoints": [{"name": n.decode(), "address": "%s:%d" % (HOST, p)}
                          for n, p in self.ports.items()],
        }], workers=2)
        self.channel = self.grpc.insecure_channel("%s:%d" % (HOST, self.gw.port))
        self.addCleanup(self.channel.close)
        harness.until("both", lambda: self.names() == [b"one", b"two"])

        def say(what):
            return lambda: self.said.__setitem__(b"one", what)

        well = say(b"\x08\x01")
        self.in_trouble("serving status 2", say(b"\x08\x02"), well)
        self.in_trouble("serving status 3", say(b"\x08\x03"), well)
        self.in_trouble("serving status 0", say(b""), well)
        self.in_trouble("grpc-status 5", say(self.grpc.StatusCode.NOT_FOUND), well)
        self.in_trouble("grpc-status 12", say(None), well)
        self.in_trouble("no answer that can be read", say(b"\x08"), well)
        self.in_trouble("no answer that can be read", say(b"\x12\x7f" + b"x" * 2000), well)
        self.in_trouble("no connection", lambda: self.stop(b"one"), lambda: self.serve(b"one"))


if __name__ == "__main__":
    harness.main()
