"""Peers that stop reading: bounded memory, and all others go on, on the same connection too."""

import struct
import threading

import frames
import harness
import http1
from frames import DATA, END_STREAM, HEADERS, SETTINGS, WINDOW_UPDATE
from harness import cluster

BODY = 32 << 20
HUGE_WINDOW = struct.pack(">I", 1 << 30)


def window_setting(size):
    return struct.pack(">HI", 4, size)


class StalledReaders(harness.PeerCase):
    """A client that takes a part of a large body and then no more, while others go on."""

    def start_both(self, protocol):
        """A raw upstream of that protocol: /big is large, all else is small."""

        def h1(stream):
            while not stream.at_end():
                request = stream.request()
                stream.send(http1.ok(bytes(BODY) if request.target == "/big" else b"small"))

        def h2(c):
            left, windows, connection, first = {}, {}, [65535], [65535]

            def push():
                for i in list(left):
                    while left[i] and min(windows[i], connection[0]) > 0:
                        size = min(16384, left[i], windows[i], connection[0])
                        left[i] -= size
                        windows[i] -= size
                        connection[0] -= size
                        c.send(frames.frame(DATA, 0 if left[i] else END_STREAM, i, bytes(size)))
                    if not left[i]:
                        del left[i]

            while True:
                f = c.read()
                if f.kind == HEADERS:
                    i = f.stream
                    windows.setdefault(i, first[0])
                    is_big = dict(f.fields)[":path"] == "/big"
                    c.send(c.headers(i, [(":status", "200")]))
                    left[i] = BODY if is_big else 5
                elif f.kind == WINDOW_UPDATE:
                    grant = struct.unpack(">I", f.payload)[0]
                    if f.stream == 0:
                        connection[0] += grant
                    elif f.stream in windows:
                        windows[f.stream] += grant
                elif f.kind == SETTINGS and not f.flags:
                    for at in range(0, len(f.payload), 6):
                        key, value = struct.unpack(">HI", f.payload[at : at + 6])
                        if key == 4:
                            for i in windows:
                                windows[i] += value - first[0]
                            first[0] = value
                push()

        server = http1.Server(h1) if protocol == "h1" else frames.Server(h2)
        self.addCleanup(server.close)
        self.gw = self.start_gw(
            [cluster("web", server.port, protocol)],
            edge={"timeouts": {"body_idle": "60s"}},
            # So little that the pipes of eight who stall, at their full size, would be more than all.
            limits={"memory": "2MiB", "connections": 200, "exchanges": 200},
        )
        self.before = self.gw.rss_kib()

    def check_memory(self):
        self.assertLess(self.gw.rss_kib() - self.before, 24 * 1024)

    def check_others(self, protocol):
        with http1.Client(self.gw.port) as c:
            for _ in range(20):
                c.send(http1.text("GET /small HTTP/1.1", "Host: a.example"))
                self.assertEqual(len(c.response().body), 5)
        self.check_memory()

    def stall_h1(self, protocol):
        self.start_both(protocol)
        stalled = []
        for _ in range(8):
            c = http1.Client(self.gw.port)
            c.send(http1.text("GET /big HTTP/1.1", "Host: a.example"))
            self.assertEqual(c.response_head().status, 200)
            stalled.append(c)
        self.check_others(protocol)
        if protocol == "h1":  # one that goes on at last; the first of an h2 pair had no length
            self.assertEqual(len(stalled[0].exact(BODY)), BODY)
        for c in stalled:
            c.sock.close()

    def stall_h2(self, protocol):
        """On the same connection: its window is open, that of the large streams is not."""
        self.start_both(protocol)
        with frames.Client(self.gw.port, settings=window_setting(1000)) as c:
            c.settle().credit = False
            c.send(frames.frame(WINDOW_UPDATE, 0, 0, HUGE_WINDOW))
            for i in (1, 3, 5, 7):
                c.send(c.headers(i, frames.request_fields("GET", "/big"), end=True))
                got = 0
                while got < 1000:
                    got += len(c.find(DATA, i).payload)
            for i in range(9, 49, 2):
                c.send(c.headers(i, frames.request_fields("GET", "/small"), end=True))
                _, body, _, code = c.message(i)
                self.assertEqual((len(body), code), (5, None))
            self.check_others(protocol)
            c.send(frames.frame(WINDOW_UPDATE, 0, 3, HUGE_WINDOW))  # one that goes on at last
            while True:
                f = c.read()
                self.assertIn(f.stream, (0, 3))
                got += len(f.payload) if f.kind == DATA else 0
                if f.is_end:
                    break
            self.assertEqual(got, BODY)

    def test_h1_to_h1(self):
        self.stall_h1("h1")

    def test_h1_to_h2(self):
        self.stall_h1("h2")

    def test_h2_to_h1(self):
        self.stall_h2("h1")

    def test_h2_to_h2(self):
        self.stall_h2("h2")


class StalledUpstreams(harness.PeerCase):
    """An upstream that does not read an upload: the client is held back, its siblings are not."""

    def check(self, protocol):
        release = threading.Event()
        self.addCleanup(release.set)

        def h1(stream):
            while not stream.at_end():
                request = stream.request_head()
                if request.target == "/stuck":
                    release.wait(60)
                    return
                stream.framed_body(request)
                stream.send(http1.ok(b"%d" % len(request.body)))

        def h2(c):
            c.credit, paths, sizes = False, {}, {}
            while True:
                f = c.read()
                if f.kind == HEADERS:
                    paths[f.stream], sizes[f.stream] = dict(f.fields)[":path"], 0
                if f.kind == DATA:
                    sizes[f.stream] += len(f.payload)
                    grant = struct.pack(">I", max(1, len(f.payload)))
                    c.send(frames.frame(WINDOW_UPDATE, 0, 0, grant))
                    if paths[f.stream] != "/stuck":
                        c.send(frames.frame(WINDOW_UPDATE, 0, f.stream, grant))
                if f.is_end:
                    c.send(c.headers(f.stream, [(":status", "200")]))
                    size = b"%d" % sizes[f.stream]
                    c.send(frames.frame(DATA, END_STREAM, f.stream, size))

        server = http1.Server(h1) if protocol == "h1" else frames.Server(h2)
        self.addCleanup(server.close)
        gw = self.start_gw([cluster("web", server.port, protocol)])
        with frames.Client(gw.port).settle() as c:
            c.send(c.headers(1, frames.request_fields("POST", "/stuck")))
            c.send(frames.frame(DATA, 0, 1, bytes(16384)))
            for i in range(3, 43, 2):
                c.send(c.headers(i, frames.request_fields("POST", "/free")))
                c.send(frames.frame(DATA, END_STREAM, i, bytes(10000)))
                _, body, _, code = c.message(i)
                self.assertEqual((body, code), (b"10000", None))
        self.assertLess(gw.rss_kib(), harness.RSS_BOUND_KIB)

    def test_h1(self):
        self.check("h1")

    def test_h2(self):
        self.check("h2")


if __name__ == "__main__":
    harness.main()
