"""WebSocket through an HTTP/1.1 Upgrade: python3-websockets on both sides, and the rules by hand."""

import asyncio
import threading

import harness
import http1
from harness import cluster, need_module, route

UPGRADE = ("Connection: Upgrade", "Upgrade: websocket")
HANDSHAKE = UPGRADE + (
    "Host: a.example",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
SWITCH = http1.text(
    "HTTP/1.1 101 Switching Protocols",
    *UPGRADE,
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
)


def upgrading(to, **more):
    return [route("ws", to, upgrade=["websocket"], **more)]


class RealPeers(harness.PeerCase):
    def setUp(self):
        super().setUp()
        self.websockets = need_module("websockets", "python3-websockets")
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)

    def talk(self, client):
        """Runs client(connect) with an echo server behind gw."""

        async def echo(socket, _path=None):
            async for message in socket:
                await socket.send(message)

        async def serve():
            return await self.websockets.serve(echo, harness.HOST, 0, max_size=32 << 20)

        async def end():
            server.close()
            await server.wait_closed()

        server = self.loop.run_until_complete(serve())
        try:
            port = server.sockets[0].getsockname()[1]
            gw = self.start_gw([cluster("ws", port)], upgrading("ws"))
            url = "ws://%s:%d/chat" % (harness.HOST, gw.port)
            connect = lambda: self.websockets.connect(url, max_size=32 << 20)
            self.loop.run_until_complete(asyncio.wait_for(client(connect), 40))
            return gw
        finally:
            self.loop.run_until_complete(end())

    def test_messages(self):
        async def client(connect):
            async with connect() as socket:
                for i in range(200):
                    await socket.send("message %d" % i)
                    self.assertEqual(await socket.recv(), "message %d" % i)
                await socket.send(b"\0\xff" * 1000)
                self.assertEqual(await socket.recv(), b"\0\xff" * 1000)
                await (await socket.ping())

        gw = self.talk(client)
        self.assertEqual(gw.entry(status=101)["method"], "GET")

    def test_large_messages(self):
        big = harness.pattern(8 << 20)

        async def client(connect):
            async with connect() as socket:
                await socket.send(big)
                self.assertEqual(await socket.recv(), big)

        self.talk(client)

    def test_many_tunnels(self):
        async def one(connect, i):
            async with connect() as socket:
                for k in range(20):
                    await socket.send("%d %d" % (i, k))
                    self.assertEqual(await socket.recv(), "%d %d" % (i, k))

        async def client(connect):
            await asyncio.gather(*(one(connect, i) for i in range(50)))

        self.talk(client)


class Rules(harness.PeerCase):
    """Raw sockets on both sides."""

    def start_server(self, serve, routes=None, **more):
        self.server = http1.Server(serve)
        self.addCleanup(self.server.close)
        self.gw = self.start_gw(
            [cluster("ws", self.server.port)], routes or upgrading("ws"), **more
        )

    def tearDown(self):
        self.assertEqual(self.server.errors, [])

    def test_bytes_that_follow_the_handshake_at_once(self):
        """In the same write as the Upgrade, and in the same write as the 101: none is lost."""
        got = []

        def serve(stream):
            request = stream.request_head()
            self.assertEqual(request.get("upgrade"), "websocket")
            self.assertTrue(request.has_token("connection", "upgrade"))
            stream.send(SWITCH + b"server first")
            got.append(stream.exact(12))
            stream.send(b"and then")
            got.append(stream.at_end())

        self.start_server(serve)
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET /chat HTTP/1.1", *HANDSHAKE) + b"client first")
            answer = c.response_head()
            self.assertEqual(answer.status, 101)
            self.assertEqual(answer.get("upgrade"), "websocket")
            self.assertEqual(c.exact(20), b"server firstand then")
            c.sock.shutdown(1)
            self.assertTrue(c.at_end())
        self.assertEqual(got, [b"client first", True])

    def test_a_lot_both_ways_at_once(self):
        size = 8 << 20

        def serve(stream):
            stream.request_head()
            stream.send(SWITCH)
            writer = threading.Thread(target=stream.send, args=(harness.pattern(size, 2),))
            writer.start()
            self.seen = stream.exact(size) == harness.pattern(size, 3)
            writer.join()
            stream.at_end()

        self.start_server(serve)
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET /chat HTTP/1.1", *HANDSHAKE))
            self.assertEqual(c.response_head().status, 101)
            writer = threading.Thread(target=c.send, args=(harness.pattern(size, 3),))
            writer.start()
            self.assertTrue(c.exact(size) == harness.pattern(size, 2))
            writer.join()
            harness.until("the upstream's verdict", lambda: hasattr(self, "seen"))
            self.assertTrue(self.seen)

    def test_half_close_travels(self):
        """The client's end reaches the server, which still answers."""

        def serve(stream):
            stream.request_head()
            stream.send(SWITCH)
            said = stream.rest()
            stream.send(b"you said " + said)

        self.start_server(serve)
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET /chat HTTP/1.1", *HANDSHAKE))
            self.assertEqual(c.response_head().status, 101)
            c.send(b"goodbye")
            c.sock.shutdown(1)
            self.assertEqual(c.rest(), b"you said goodbye")

    def refused_upgrade(self, fields, routes=None):
        """What the origin sees of a request whose Upgrade must not pass."""
        seen = []

        def serve(stream):
            while not stream.at_end():
                seen.append(stream.request())
                stream.send(http1.ok(b"plain"))

        self.start_server(serve, routes)
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET /chat HTTP/1.1", "Host: a.example", *fields))
            answer = c.response()
            self.assertEqual((answer.status, answer.body), (200, b"plain"))
            self.assertIsNone(answer.get("upgrade"))
            c.send(http1.text("GET /next HTTP/1.1", "Host: a.example"))
            self.assertEqual(c.response().status, 200)
        self.assertIsNone(seen[0].get("upgrade"))
        self.assertIsNone(seen[0].get("http2-settings"))
        return seen[0]

    def test_unlisted_token_is_dropped(self):
        self.refused_upgrade(("Connection: Upgrade", "Upgrade: irc"))

    def test_h2c_is_dropped(self):
        self.refused_upgrade(
            (
                "Connection: Upgrade, HTTP2-Settings",
                "Upgrade: h2c",
                "HTTP2-Settings: AAMAAABkAAQAAP__",
            )
        )

    def test_upgrade_without_its_connection_token_is_dropped(self):
        self.refused_upgrade(("Upgrade: websocket",))

    def test_upgrade_in_http10_is_dropped(self):
        def serve(stream):
            request = stream.request()
            self.assertIsNone(request.get("upgrade"))
            stream.send(http1.ok(b"plain"))

        self.start_server(serve)
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET /chat HTTP/1.0", *HANDSHAKE))
            self.assertEqual(c.response().status, 200)

    def test_server_that_declines(self):
        """An answer other than 101 is a plain answer, and the connection goes on."""

        def serve(stream):
            while not stream.at_end():
                request = stream.request()
                stream.send(http1.ok(request.target.encode(), status="403 Forbidden"))

        self.start_server(serve)
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET /chat HTTP/1.1", *HANDSHAKE))
            self.assertEqual(c.response().status, 403)
            c.send(http1.text("GET /next HTTP/1.1", "Host: a.example"))
            self.assertEqual(c.response().body, b"/next")

    def test_101_that_nobody_asked_for(self):
        def serve(stream):
            stream.request()
            stream.send(SWITCH + b"what?")
            stream.at_end()

        self.start_server(serve)
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET /x HTTP/1.1", "Host: a.example"))
            self.assertEqual(c.response().status, 502)

    def test_idle_tunnel_ends(self):
        def serve(stream):
            stream.request_head()
            stream.send(SWITCH)
            stream.at_end()

        self.start_server(serve, upgrading("ws", idle="400ms"))
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET /chat HTTP/1.1", *HANDSHAKE))
            self.assertEqual(c.response_head().status, 101)
            self.assertTrue(c.at_end())


if __name__ == "__main__":
    harness.main()
