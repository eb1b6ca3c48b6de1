"""nginx as an upstream: files, chunked bodies, a proxy in front of itself, h2c."""

import contextlib
import hashlib
import os

import harness
import http1
from harness import HOST, cluster, free_port, need, pattern, route

SERVERS = """
  gzip_types text/plain; gzip_min_length 1;
  client_max_body_size 0;
  default_type text/plain;
  server {{
    listen {host}:{h1};
    root {folder}/www;
    location / {{ }}
    location /gzip/ {{ gzip on; gzip_proxied any; alias {folder}/www/; }}
    location /dav/ {{ dav_methods PUT DELETE; alias {folder}/dav/; }}
    location /status/ {{ return 204; }}
    location /moved/ {{ return 302 /small; }}
    location /again/ {{ proxy_pass http://{host}:{h1}/; proxy_http_version 1.1; }}
    location /limited/ {{ limit_rate 200k; alias {folder}/www/; }}
  }}
  log_format seen '$http_x_forwarded_for|$http_x_forwarded_proto|$http_x_forwarded_host|$http_via';
  server {{
    listen {host}:{hasty};
    access_log {folder}/seen seen;
    keepalive_timeout 1ms;
    root {folder}/www;
    location / {{ }}
  }}
  server {{
    listen {host}:{h2} http2;
    root {folder}/www;
    location /dav/ {{ dav_methods PUT DELETE; alias {folder}/dav/; }}
  }}
"""


class Nginx:
    """Cases for both protocols to nginx; the subclasses say which."""

    protocol = ""
    client = ()

    def setUp(self):
        super().setUp()
        self.curl = need("curl")
        for name in ("www", "dav"):
            os.mkdir(os.path.join(self.folder, name))
            os.chmod(os.path.join(self.folder, name), 0o777)
        self.write_file("www/small", b"hello\n")
        self.write_file("www/big", pattern(10 << 20))
        self.write_file("www/empty", b"")
        ports = {"h1": free_port(), "h2": free_port(), "hasty": free_port()}
        servers = SERVERS.format(folder=self.folder, host=HOST, **ports)
        self.start_nginx(servers, ports["h1"], level="info")
        self.gw = self.start_gw(
            [
                cluster("web", ports[self.protocol], self.protocol),
                cluster("hasty", ports["hasty"], retry_budget={"percent": 1000}),
            ],
            [route("hasty", "hasty", "/", {"host": "hasty"}), route("all", "web")],
        )

    def get(self, path, *more, code="200"):
        url = "http://%s:%d%s" % (HOST, self.gw.port, path)
        head = os.path.join(self.folder, "head")
        status, body, error = harness.run_program(
            self.curl, "-sS", "-m", "30", *self.client, "-D", head,
            "-w", "%{stderr}%{http_code}", *more, url,
        )  # fmt: skip
        self.assertEqual((status, error[-3:]), (0, code), error)
        with open(head) as f:
            return body, f.read().lower()

    def test_files(self):
        self.assertEqual(self.get("/small")[0], b"hello\n")
        self.assertEqual(self.get("/empty")[0], b"")
        self.assertTrue(self.get("/big")[0] == pattern(10 << 20))
        self.get("/missing", code="404")

    def test_ranges_and_conditions(self):
        body, head = self.get("/big", "-r", "1000-1999", code="206")
        self.assertEqual(body, pattern(10 << 20)[1000:2000])
        self.assertIn("content-range: bytes 1000-1999/", head)
        etag = head.split('etag: "')[1].split('"')[0]
        self.get("/big", "-H", 'If-None-Match: "%s"' % etag, code="304")
        _, head = self.get("/big", "-I")
        self.assertIn("content-length: %d" % (10 << 20), head)

    def test_upload(self):
        content = pattern(10 << 20, 4)
        path = self.write_file("up", content)
        self.get("/dav/new", "-T", path, code="201")
        with open(os.path.join(self.folder, "dav", "new"), "rb") as f:
            self.assertEqual(hashlib.sha256(f.read()).digest(), hashlib.sha256(content).digest())
        self.get("/dav/new", "-X", "DELETE", code="204")


class NginxH1(Nginx, harness.PeerCase):
    protocol = "h1"
    client = ("--http1.1",)

    def test_chunked(self):
        body, head = self.get("/gzip/small", "-H", "Accept-Encoding: gzip", "--compressed")
        self.assertEqual(body, b"hello\n")
        self.assertIn("content-encoding: gzip", head)
        self.assertIn("transfer-encoding: chunked", head)

    def test_proxy_behind_proxy(self):
        self.assertTrue(self.get("/again/big")[0] == pattern(10 << 20))
        self.assertTrue(self.get("/again/again/small")[0] == b"hello\n")

    def test_slow_body(self):
        body, _ = self.get("/limited/big", "-r", "0-300000", code="206")
        self.assertEqual(body, pattern(10 << 20)[:300001])

    def test_no_content_and_redirect(self):
        self.assertEqual(self.get("/status/", code="204")[0], b"")
        _, head = self.get("/moved/", code="302")
        self.assertIn("location: http", head)

    def test_pipelined(self):
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET /small HTTP/1.1", "Host: a.example") * 50)
            for _ in range(50):
                self.assertEqual(c.response().body, b"hello\n")


    def ask_hasty(self, connections):
        """A GET on each at once, then again; returns the statuses."""
        request = http1.text("GET /small HTTP/1.1", "Host: hasty")
        for c in connections:
            c.send(request)
        return [c.response().status for c in connections]

    def test_connections_closed_as_they_are_used(self):
        """nginx gives idle connections up after a millisecond: requests meet that, clients do not."""
        with contextlib.ExitStack() as stack:
            connections = [
                stack.enter_context(http1.Client(self.gw.port)) for _ in range(20)
            ]
            for _ in range(300):
                self.assertEqual(set(self.ask_hasty(connections)), {200})
        entries = self.gw.entries({"cluster": "hasty"})
        self.assertEqual({e["cause"] for e in entries}, {"none"})
        print("%d of %d requests were sent again" % (sum(e["retries"] for e in entries), len(entries)))

    def test_is_told_of_clients(self):
        self.get("/small", "-H", "Host: hasty", "-H", "X-Forwarded-For: 6.6.6.6")
        with open(os.path.join(self.folder, "seen")) as f:
            line = f.read().strip()
        self.assertRegex(line, r"^127\.0\.0\.1\|http\|hasty\|1\.1 gw-[0-9a-f]+$")


class NginxH2ToH1(Nginx, harness.PeerCase):
    protocol = "h1"
    client = ("--http2-prior-knowledge",)


class NginxH1ToH2(Nginx, harness.PeerCase):
    protocol = "h2"
    client = ("--http1.1",)


class NginxH2(Nginx, harness.PeerCase):
    protocol = "h2"
    client = ("--http2-prior-knowledge",)


if __name__ == "__main__":
    harness.main()
