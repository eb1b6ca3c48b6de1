"""SIGTERM: nothing new is taken, what is under way ends whole, and gw ends with 0."""

import signal
import threading

import frames
import harness
import http1
from harness import cluster


class Drain(harness.PeerCase):
    def setUp(self):
        super().setUp()
        self.go = threading.Event()
        self.addCleanup(self.go.set)
        self.asked = threading.Event()

        def serve(stream):
            while not stream.at_end():
                request = stream.request()
                if request.target == "/slow":
                    stream.send(http1.text("HTTP/1.1 200 OK", "Content-Length: 8") + b"half")
                    self.asked.set()
                    self.go.wait(30)
                    stream.send(b"rest")
                elif request.target == "/never":
                    self.asked.set()
                    self.go.wait(30)
                    return
                else:
                    stream.send(http1.ok())

        self.server = http1.Server(serve)
        self.addCleanup(self.server.close)

    def begin(self, drain):
        self.gw = self.start_gw([cluster("web", self.server.port)], drain=drain)

    def terminate(self):
        self.gw.process.send_signal(signal.SIGTERM)

    def ended(self):
        return self.gw.process.wait(20)

    def test_h1_answer_under_way(self):
        self.begin("20s")
        idle = http1.Client(self.gw.port)
        idle.send(http1.text("GET / HTTP/1.1", "Host: a.example"))
        self.assertEqual(idle.response().status, 200)
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET /slow HTTP/1.1", "Host: a.example"))
            self.assertEqual(c.response_head().status, 200)
            self.assertEqual(c.exact(4), b"half")
            self.terminate()
            self.assertTrue(idle.at_end(), "an idle connection ends at once")
            self.go.set()
            self.assertEqual(c.exact(4), b"rest")
            self.assertTrue(c.at_end(), "and then this one")
        idle.sock.close()
        self.assertEqual(self.ended(), 0)
        with self.assertRaises(ConnectionRefusedError):
            harness.connect(self.gw.port)
        self.assertEqual([e["cause"] for e in self.gw.entries()], ["none", "none"])

    def test_h1_head_after_the_signal_says_close(self):
        self.begin("20s")
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET /never HTTP/1.1", "Host: a.example"))
            self.assertTrue(self.asked.wait(harness.WAIT))
            self.terminate()
            harness.until("the listener to close", lambda: not self.listens())
            self.go.set()  # the upstream closes without an answer
            answer = c.response()
            self.assertEqual(answer.status, 502)
            self.assertTrue(answer.has_token("connection", "close"))
            self.assertTrue(c.at_end())
        self.assertEqual(self.ended(), 0)

    def listens(self):
        try:
            harness.connect(self.gw.port).close()
            return True
        except OSError:
            return False

    def test_h2_stream_under_way(self):
        self.begin("20s")
        with frames.Client(self.gw.port).settle() as c:
            c.send(c.headers(1, frames.request_fields("GET", "/slow"), end=True))
            self.assertEqual(c.find(frames.DATA, 1).payload, b"half")
            self.terminate()
            goaway = c.find(frames.GOAWAY)
            self.assertEqual(goaway.code, frames.NO_ERROR)
            self.go.set()
            self.assertEqual(c.find(frames.DATA, 1).payload, b"rest")
            self.assertIsNone(c.find(frames.PING, 1), "the connection ends")
        self.assertEqual(self.ended(), 0)
        self.assertEqual([e["cause"] for e in self.gw.entries()], ["none"])

    def told_first(self, c):
        """The first GOAWAY, which takes every stream, and the PING behind it."""
        c.answers_pings = False
        self.terminate()
        first = c.find(frames.GOAWAY)
        self.assertEqual((first.last, first.code), (2**31 - 1, frames.NO_ERROR))
        return c.read()

    def test_h2_what_was_sent_before_the_client_knew_is_served(self):
        self.begin("20s")
        with frames.Client(self.gw.port).settle() as c:
            c.send(c.headers(1, frames.request_fields("GET", "/slow"), end=True))
            self.assertEqual(c.find(frames.DATA, 1).payload, b"half")
            ping = self.told_first(c)
            self.assertEqual(ping.kind, frames.PING)
            c.send(c.headers(3, frames.request_fields("GET", "/"), end=True))
            fields, _, _, code = c.message(3)
            self.assertEqual((dict(fields)[":status"], code), ("200", None))
            c.send(frames.frame(frames.PING, frames.ACK, 0, ping.payload))
            final = c.find(frames.GOAWAY)
            self.assertEqual((final.last, final.code), (3, frames.NO_ERROR))
            c.send(c.headers(5, frames.request_fields("GET", "/late"), end=True))
            self.go.set()
            self.assertEqual(c.find(frames.DATA, 1).payload, b"rest")
            self.assertIsNone(c.find(frames.HEADERS), "nothing answers what came after")
        self.assertEqual(self.ended(), 0)
        self.assertEqual([e["cause"] for e in self.gw.entries()], ["none", "none"])

    def test_h2_a_client_that_does_not_answer(self):
        """An idle connection too: it is told at last, and then it is over."""
        self.begin("20s")
        with frames.Client(self.gw.port).settle() as c:
            self.assertEqual(self.told_first(c).kind, frames.PING)
            final = c.find(frames.GOAWAY)
            self.assertEqual((final.last, final.code), (0, frames.NO_ERROR))
            self.assertIsNone(c.find(frames.PING), "the connection ends")
        self.assertEqual(self.ended(), 0)

    def test_who_has_only_just_connected_is_served(self):
        self.begin("20s")
        with http1.Client(self.gw.port) as held, http1.Client(self.gw.port) as c:
            held.send(http1.text("GET /slow HTTP/1.1", "Host: a.example"))
            self.assertEqual(held.response_head().status, 200)
            c.send(http1.text("GET / HTTP/1.1", "Host: a.example"))
            self.terminate()
            answer = c.response()
            self.assertEqual(answer.status, 200)
            self.go.set()
        self.assertEqual(self.ended(), 0)

    def test_what_outlives_the_deadline_is_cut(self):
        self.begin("400ms")
        with frames.Client(self.gw.port).settle() as c:
            c.send(c.headers(1, frames.request_fields("GET", "/slow"), end=True))
            self.assertEqual(c.find(frames.DATA, 1).payload, b"half")
            self.terminate()
            self.assertEqual(c.find(frames.RST_STREAM, 1).code, frames.CANCEL)
            self.assertIsNone(c.find(frames.PING, 1), "the connection ends")
        self.assertEqual(self.ended(), 0)
        self.assertIn("draining", self.gw.entry()["cause"])

    def test_a_second_signal_ends_at_once(self):
        self.begin("60s")
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET /slow HTTP/1.1", "Host: a.example"))
            self.assertEqual(c.response_head().status, 200)
            self.terminate()
            harness.until("the listener to close", lambda: not self.listens())
            self.terminate()
            status = self.ended()
            self.assertIn(status, (0, 1))
            with self.assertRaises(EOFError):  # "half" may be there; never the whole
                c.exact(8)


if __name__ == "__main__":
    harness.main()
