"""curl, over h1 and over h2 with prior knowledge, to HTTP/1.1 origins."""

import hashlib
import os

import harness
import http1
from harness import cluster, pattern, route

BIG = 10 << 20


def digest(content):
    return hashlib.sha256(content).hexdigest()


def echo(request):
    """A body made of what arrived, so that a client can see what was forwarded."""
    path = request.target
    if path == "/digest":
        return http1.ok(digest(request.body).encode())
    if path == "/big":
        return http1.ok(pattern(BIG))
    if path == "/chunked":
        body = pattern(BIG, 7)
        step = 100003
        chunks = [body[i : i + step] for i in range(0, len(body), step)]
        framed = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
        return http1.text("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=framed)
    if path == "/trailers":
        return http1.text(
            "HTTP/1.1 200 OK",
            "Transfer-Encoding: chunked",
            "Trailer: x-sum",
            body=b"5\r\nhello\r\n0\r\nx-sum: 42\r\n\r\n",
        )
    if path == "/204":
        return http1.text("HTTP/1.1 204 No Content", "X-Here: yes")
    if path == "/304":
        return http1.text("HTTP/1.1 304 Not Modified", 'ETag: "v1"', "Content-Length: 77")
    if path == "/head":
        return http1.text("HTTP/1.1 200 OK", "Content-Length: 12345", "X-Here: yes")
    if path == "/fields":
        return http1.ok(
            b"x",
            "Connection: X-Private, close",
            "X-Private: secret",
            "Keep-Alive: timeout=3",
            "X-Kept-Case: yes",
        )
    lines = [request.start] + [n + b": " + v for n, v in request.fields]
    return http1.ok(b"\n".join(lines) + b"\n" + request.body)


class Curl:
    """Cases that hold for any version; the subclasses say which."""

    words = ()
    version = ""

    @classmethod
    def setUpClass(cls):
        cls.program = harness.need("curl")

    def setUp(self):
        super().setUp()
        self.origin = http1.Origin(echo)
        self.addCleanup(self.origin.close)
        self.gw = self.start_gw([cluster("web", self.origin.port)])

    def tearDown(self):
        self.assertEqual(self.origin.errors, [])

    def url(self, path):
        return "http://%s:%d%s" % (harness.HOST, self.gw.port, path)

    def curl(self, path, *more, expect=0, input_bytes=None):
        """curl's output and what it says about the last transfer: (body, heads, facts)."""
        heads = os.path.join(self.folder, "heads")
        status, body, error = harness.run_program(
            self.program, "-sS", "-m", "30", *self.words, "-D", heads,
            "-w", "%{stderr}%{http_code} %{http_version} %{num_connects}\n",
            *more, self.url(path), input_bytes=input_bytes,
        )  # fmt: skip
        self.assertEqual(status, expect, error)
        text = ""
        if os.path.exists(heads):
            with open(heads) as f:
                text = f.read().lower()
        return body, text, error.strip().splitlines()[-1].split()

    def test_get(self):
        body, _, facts = self.curl("/a/b?c=d&e=%20")
        self.assertEqual(facts[:2], ["200", self.version])
        self.assertTrue(body.startswith(b"GET /a/b?c=d&e=%20 HTTP/1.1\n"), body)

    def test_query_and_dots_are_canonical(self):
        body, _, _ = self.curl("/a/../b/./%63?x=..", "--path-as-is")
        self.assertTrue(body.startswith(b"GET /b/c?x=.. HTTP/1.1\n"), body)

    def test_post(self):
        body, _, facts = self.curl("/post", "-d", "a=1&b=2")
        self.assertEqual(facts[0], "200")
        self.assertTrue(body.startswith(b"POST /post HTTP/1.1\n") and body.endswith(b"\na=1&b=2"))

    def test_big_body_down(self):
        body, _, _ = self.curl("/big")
        self.assertEqual(digest(body), digest(pattern(BIG)))

    def test_big_chunked_body_down(self):
        body, _, _ = self.curl("/chunked")
        self.assertEqual(digest(body), digest(pattern(BIG, 7)))

    def test_big_body_up(self):
        content = pattern(BIG, 3)
        path = self.write_file("up", content)
        body, _, facts = self.curl("/digest", "-T", path)
        self.assertEqual((body.decode(), facts[0]), (digest(content), "200"))
        self.assertEqual(self.origin.requests[-1].method, "PUT")

    def test_body_of_unknown_length_up(self):
        content = pattern(1 << 20, 5)
        body, _, _ = self.curl("/digest", "-T", "-", input_bytes=content)
        self.assertEqual(body.decode(), digest(content))
        self.assertEqual(self.origin.requests[-1].get("transfer-encoding"), "chunked")

    def test_head(self):
        body, heads, facts = self.curl("/head", "-I")
        self.assertEqual(facts[0], "200")
        self.assertIn("content-length: 12345", heads)
        self.assertEqual(self.origin.requests[-1].method, "HEAD")

    def test_204_and_304_have_no_body(self):
        body, heads, facts = self.curl("/204")
        self.assertEqual((body, facts[0]), (b"", "204"))
        self.assertNotIn("content-length", heads)
        body, heads, facts = self.curl("/304", "-H", 'If-None-Match: "v1"')
        self.assertEqual((body, facts[0]), (b"", "304"))
        self.assertIn('etag: "v1"', heads)

    def test_connection_fields_stay_behind(self):
        words = ["-H", "X-Mine: 1", "-H", "X-Other: 2"]
        if self.version == "1.1":  # HTTP/2 forbids the field
            words += ["-H", "Connection: X-Mine", "-H", "Keep-Alive: 5", "-H", "TE: gzip"]
        _, heads, _ = self.curl("/fields", *words)
        request = self.origin.requests[-1]
        self.assertEqual(request.get("x-other"), "2")
        if self.version == "1.1":
            self.assertIsNone(request.get("x-mine"))
            self.assertIsNone(request.get("keep-alive"))
            self.assertIsNone(request.get("te"))
        self.assertNotIn("x-private", heads)
        self.assertNotIn("keep-alive:", heads)
        self.assertIn("x-kept-case: yes", heads)

    def test_trailers(self):
        body, heads, _ = self.curl("/trailers", "-H", "TE: trailers")
        self.assertEqual(body, b"hello")
        self.assertIn("x-sum: 42", heads)

    def test_no_route(self):
        port = self.origin.port
        self.gw = self.start_gw(
            [cluster("web", port)], [route("one", "web", match={"host": "only.example"})]
        )
        body, heads, facts = self.curl("/x")
        self.assertEqual(facts[0], "404")
        self.assertIn("content-type: text/plain", heads)
        self.assertIn(b"no_route", body)
        self.assertIn("no_route", self.gw.entry(status=404)["cause"])
        _, _, facts = self.curl("/x", "-H", "Host: only.example")
        self.assertEqual(facts[0], "200")

    def expect_failure(self, upstream_port, code, reason, **timeouts):
        more = {"timeouts": timeouts} if timeouts else {}
        self.gw = self.start_gw([cluster("web", upstream_port, **more)])
        body, _, facts = self.curl("/")
        self.assertEqual(facts[0], str(code), body)
        self.assertIn(reason, self.gw.entry(status=code)["cause"])

    def test_refused_upstream(self):
        self.expect_failure(harness.free_port(), 503, "upstream_connect_refused")

    def test_garbage_upstream(self):
        def garbage(stream):
            stream.request()
            stream.send(b"SSH-2.0-nothing to see here\r\n\r\n")

        server = http1.Server(garbage)
        self.addCleanup(server.close)
        self.expect_failure(server.port, 502, "upstream_bad_response")

    def test_upstream_that_closes(self):
        server = http1.Server(lambda stream: stream.request())
        self.addCleanup(server.close)
        self.expect_failure(server.port, 502, "upstream_closed")

    def test_upstream_that_resets(self):
        def serve(stream):
            stream.request()
            http1.reset(stream.sock)

        server = http1.Server(serve)
        self.addCleanup(server.close)
        self.expect_failure(server.port, 502, "upstream_reset")

    def test_slow_upstream(self):
        server = http1.Server(lambda stream: stream.rest())
        self.addCleanup(server.close)
        self.expect_failure(server.port, 504, "upstream_response_timeout", response="300ms")

    cut_status = 0  # what curl exits with when a body is cut short

    def expect_cut(self, *answer):
        def serve(stream):
            stream.request()
            for piece in answer:
                stream.send(piece)

        server = http1.Server(serve)
        self.addCleanup(server.close)
        self.gw = self.start_gw([cluster("web", server.port)])
        body, _, _ = self.curl("/", expect=self.cut_status)
        self.assertTrue(b"half".startswith(body), body)
        self.assertIn("upstream_cut", self.gw.entry(status=200)["cause"])

    def test_short_body_is_seen_as_cut(self):
        self.expect_cut(http1.text("HTTP/1.1 200 OK", "Content-Length: 8"), b"half")

    def test_short_chunked_body_is_seen_as_cut(self):
        self.expect_cut(
            http1.text("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), b"4\r\nhalf\r\n"
        )


class CurlH1(Curl, harness.PeerCase):
    words = ("--http1.1",)
    version = "1.1"
    cut_status = 18

    def test_expect_100(self):
        content = pattern(200000)
        path = self.write_file("up", content)
        body, heads, facts = self.curl(
            "/digest", "-T", path, "-H", "Expect: 100-continue", "--expect100-timeout", "25"
        )
        self.assertEqual((body.decode(), facts[0]), (digest(content), "200"))
        self.assertIn("100 continue", heads)
        self.assertEqual(self.origin.requests[-1].get("expect"), "100-continue")

    def test_one_connection_for_many(self):
        more = [self.url("/%d" % i) for i in range(9)]
        _, _, facts = self.curl("/", "-o", "/dev/null", *self.null_outputs(more))
        self.assertEqual(facts[2], "0", "the last request opened a connection of its own")
        self.assertEqual(len(self.origin.requests), 10)
        self.assertEqual(self.origin.connections, 1, "the upstream's connection is used again")

    @staticmethod
    def null_outputs(urls):
        return [word for url in urls for word in (url, "-o", "/dev/null")]

    def test_body_limit(self):
        self.gw = self.start_gw([cluster("web", self.origin.port)], limits={"body": "64KiB"})
        path = self.write_file("up", pattern(1 << 20))
        before = len(self.origin.requests)
        _, _, facts = self.curl("/digest", "-T", path, "-H", "Expect:")
        self.assertEqual(facts[0], "413")
        self.assertEqual(len(self.origin.requests), before)
        self.assertIn("body_too_large", self.gw.entry(status=413)["cause"])

    def test_http10(self):
        body, heads, facts = self.curl("/chunked", "--http1.0")
        self.assertEqual(digest(body), digest(pattern(BIG, 7)))
        self.assertNotIn("transfer-encoding", heads)

    def test_case_of_names_is_kept(self):
        self.curl("/", "-H", "X-CamelCase: 1")
        self.assertIn((b"X-CamelCase", b"1"), self.origin.requests[-1].fields)

    def test_until_close_body(self):
        def serve(stream):
            stream.request()
            stream.send(http1.text("HTTP/1.1 200 OK", body=pattern(300000)))

        server = http1.Server(serve)
        self.addCleanup(server.close)
        self.gw = self.start_gw([cluster("web", server.port)])
        body, _, _ = self.curl("/")
        self.assertEqual(body, pattern(300000))


class CurlH2(Curl, harness.PeerCase):
    """curl 7.88 cannot use an h2 connection twice after prior knowledge, and drops an answer that
    comes before the end of its upload: nghttp_test has both."""

    words = ("--http2-prior-knowledge",)
    version = "2"
    cut_status = 92

    def test_names_are_lower_case(self):
        self.curl("/", "-H", "X-CamelCase: 1")
        self.assertIn((b"x-camelcase", b"1"), self.origin.requests[-1].fields)
        self.assertEqual(len(self.origin.requests[-1].all("host")), 1)


if __name__ == "__main__":
    harness.main()
