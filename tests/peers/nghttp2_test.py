"""nghttp and h2load as clients, nghttpd as an h2 upstream."""

import os
import threading

import harness
import http1
from harness import HOST, cluster, free_port, need, pattern


class Nghttp(harness.PeerCase):
    """nghttp over h2 to h1 and h2 upstreams."""

    def setUp(self):
        super().setUp()
        self.nghttp, self.nghttpd = need("nghttp", "nghttpd")

    def start_nghttpd(self, *more, **files):
        """nghttpd with these files; returns its port."""
        root = os.path.join(self.folder, "root")
        os.mkdir(root)
        for name, content in files.items():
            self.write_file(os.path.join("root", name), content)
        port = free_port()
        self.start(self.nghttpd, "--no-tls", "-a", HOST, "-d", root, *more, port, port=port)
        return port

    def url(self, path, gw=None):
        return "http://%s:%d%s" % (HOST, (gw or self.gw).port, path)

    def run_nghttp(self, *words):
        status, out, error = harness.run_program(self.nghttp, "-t", "30", *words)
        self.assertEqual(status, 0, error)
        return out, error

    def test_h2_to_h2(self):
        port = self.start_nghttpd(small=b"hello", big=pattern(10 << 20))
        self.gw = self.start_gw([cluster("web", port, "h2")])
        self.assertEqual(self.run_nghttp(self.url("/small"))[0], b"hello")
        self.assertTrue(self.run_nghttp(self.url("/big"))[0] == pattern(10 << 20))
        self.assertIn(b":status: 404", self.run_nghttp("-v", self.url("/missing"))[0])

    def test_h1_to_h2(self):
        port = self.start_nghttpd(small=b"hello", big=pattern(10 << 20))
        self.gw = self.start_gw([cluster("web", port, "h2")])
        with http1.Client(self.gw.port) as c:
            for path, content in (
                ("small", b"hello"),
                ("big", pattern(10 << 20)),
                ("small", b"hello"),
            ):
                c.send(http1.text("GET /%s HTTP/1.1" % path, "Host: a.example"))
                answer = c.response()
                self.assertEqual(answer.status, 200)
                self.assertTrue(answer.body == content)
            c.send(http1.text("HEAD /big HTTP/1.1", "Host: a.example"))
            self.assertEqual(c.response("HEAD").get("content-length"), str(10 << 20))

    def test_upload_is_echoed(self):
        """nghttpd --echo-upload: 5 MiB up and down at the same time."""
        port = self.start_nghttpd("--echo-upload")
        self.gw = self.start_gw([cluster("web", port, "h2")])
        body = pattern(5 << 20, 9)
        path = self.write_file("up", body)
        self.assertTrue(self.run_nghttp("-d", path, self.url("/echo"))[0] == body)
        with http1.Client(self.gw.port) as c:
            c.sock.settimeout(30)

            head = http1.text(
                "POST /echo HTTP/1.1", "Host: a.example", "Content-Length: %d" % len(body)
            )
            writer = threading.Thread(target=c.send, args=(head + body,))
            writer.start()
            self.assertTrue(c.response("POST").body == body)
            writer.join()

    def test_trailers_from_h2(self):
        port = self.start_nghttpd("--trailer=x-sum: 42", small=b"hello")
        self.gw = self.start_gw([cluster("web", port, "h2")])
        out, _ = self.run_nghttp("-v", self.url("/small"))
        self.assertIn(b"x-sum: 42", out)
        with http1.Client(self.gw.port) as c:
            c.send(
                http1.text(
                    "GET /small HTTP/1.1", "Host: a.example", "TE: trailers", "Connection: TE"
                )
            )
            answer = c.response()
            self.assertEqual(answer.body, b"hello")
            if answer.get("transfer-encoding"):  # a length leaves no place for trailers
                self.assertEqual(answer.trailers, [(b"x-sum", b"42")])

    def test_many_streams_on_one_connection(self):
        port = self.start_nghttpd(big=pattern(1 << 20))
        self.gw = self.start_gw([cluster("web", port, "h2")])
        urls = [self.url("/big?%d" % i) for i in range(20)]
        out, _ = self.run_nghttp(*urls)
        self.assertEqual(len(out), 20 << 20)

    def test_trailers_and_continuation_up(self):
        origin = http1.Origin()
        self.addCleanup(origin.close)
        self.gw = self.start_gw([cluster("web", origin.port)])
        path = self.write_file("up", pattern(100000))
        self.run_nghttp("--trailer=x-sum: 43", "--continuation", "-d", path, self.url("/up"))
        self.assertEqual(origin.errors, [])
        self.assertEqual(origin.requests[0].body, pattern(100000))
        if origin.requests[0].get("transfer-encoding"):  # a length leaves no place for trailers
            self.assertEqual(origin.requests[0].trailers, [(b"x-sum", b"43")])

    def test_answer_before_the_end_of_an_upload(self):
        """A body over the limit: 413, then RST_STREAM(NO_ERROR), and nothing upstream."""
        origin = http1.Origin()
        self.addCleanup(origin.close)
        self.gw = self.start_gw([cluster("web", origin.port)], limits={"body": "64KiB"})
        path = self.write_file("up", pattern(1 << 20))
        out, _ = self.run_nghttp("-v", "-d", path, self.url("/up"))
        self.assertIn(b":status: 413", out)
        self.assertIn(b"error_code=NO_ERROR", out)
        self.assertEqual(origin.requests, [])

    def test_small_windows(self):
        port = self.start_nghttpd(big=pattern(1 << 20))
        self.gw = self.start_gw([cluster("web", port, "h2")])
        out, _ = self.run_nghttp("-w", "10", "-W", "12", self.url("/big"))
        self.assertTrue(out == pattern(1 << 20))

    def test_padding(self):
        port = self.start_nghttpd("-b", "100", small=b"hello")
        self.gw = self.start_gw([cluster("web", port, "h2")])
        path = self.write_file("up", pattern(1000))
        self.assertEqual(self.run_nghttp("-b", "200", "-d", path, self.url("/small"))[0], b"hello")


if __name__ == "__main__":
    harness.main()
