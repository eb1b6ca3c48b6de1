"""TLS of a cluster, to other people's servers: nginx, nghttpd, openssl s_server, Python, gRPC."""

import hashlib
import os
import ssl
import threading

import harness
import http1
import secure
from harness import HOST, cluster, free_port, need, need_module, pattern
from secure import cert

BIG = pattern(5 << 20)
NGINX = """
  ssl_session_cache shared:x:1m; ssl_protocols TLSv1.2 TLSv1.3; default_type text/plain;
  client_max_body_size 0; root {folder}/www;
  log_format tls '$ssl_protocol $ssl_session_reused $ssl_server_name $ssl_alpn_protocol';
  server {{
    listen {host}:{h1} ssl; access_log {folder}/tls.log tls; keepalive_requests {keep};
    ssl_certificate {certs}/a-p256.crt; ssl_certificate_key {certs}/a-p256.key;
  }}
  server {{
    listen {host}:{h2} ssl http2;
    ssl_certificate {certs}/a-rsa.crt; ssl_certificate_key {certs}/a-rsa.key;
  }}
  server {{
    listen {host}:{old} ssl; ssl_protocols TLSv1.2;
    ssl_certificate {certs}/a-p256.crt; ssl_certificate_key {certs}/a-p256.key;
  }}
  server {{
    listen {host}:{asks} ssl;
    ssl_certificate {certs}/a-p256.crt; ssl_certificate_key {certs}/a-p256.key;
    ssl_verify_client on; ssl_verify_depth 3; ssl_client_certificate {certs}/root.crt;
    location / {{ return 200 "$ssl_client_s_dn"; }}
  }}
"""


def tls(**more):
    more.setdefault("server_name", "a.test")
    if more.get("verify") != "off":
        more.setdefault("ca", cert("root.crt"))
    return more


class Upstream(harness.PeerCase):
    def setUp(self):
        super().setUp()
        secure.need_tls()

    def start_to(self, port, protocol="h1", more=None, **said):
        self.gw = self.start_gw([cluster("web", port, protocol, tls=tls(**said), **(more or {}))])

    def get(self, path="/", method="GET", body=b""):
        with http1.Client(self.gw.port) as c:
            fields = ["Content-Length: %d" % len(body)] if body else []
            c.send(http1.text("%s %s HTTP/1.1" % (method, path), "Host: a.test", *fields) + body)
            return c.response(method)

    def bad(self, *words, cause="upstream_tls_failed"):
        """502, and the log has the reason."""
        answer = self.get()
        self.assertEqual(answer.status, 502)
        self.assertIn(cause, self.gw.entry(status=502)["cause"])
        for word in words:
            self.assertIn(word, self.gw.log() + answer.body.decode())
        return answer


class Servers(Upstream):
    """What others serve is got whole."""

    def start_nginx_tls(self, keep=1000):
        os.mkdir(os.path.join(self.folder, "www"))
        self.write_file("www/big", BIG)
        self.write_file("www/small", b"hello\n")
        ports = {name: free_port() for name in ("h1", "h2", "old", "asks")}
        self.start_nginx(NGINX.format(folder=self.folder, host=HOST, certs=secure.CERTS, keep=keep,
                                      **ports), ports["h1"])
        return ports

    def check_files(self):
        for path, content in (("/small", b"hello\n"), ("/big", BIG), ("/small", b"hello\n")):
            answer = self.get(path)
            self.assertEqual(answer.status, 200, answer.body)
            self.assertTrue(answer.body == content)

    def test_nginx(self):
        ports = self.start_nginx_tls()
        for name, protocol, versions in (("h1", "h1", {}), ("h1", "h1", {"max": "1.2"}),
                                         ("h1", "h1", {"min": "1.3"}), ("h2", "h2", {}),
                                         ("h2", "h2", {"max": "1.2"}), ("old", "h1", {})):
            with self.subTest("%s %s" % (name, versions)):
                self.start_to(ports[name], protocol, versions=versions)
                self.check_files()
        with open(os.path.join(self.folder, "tls.log")) as log:
            seen = log.read().splitlines()
        self.assertEqual({line.split()[0] for line in seen}, {"TLSv1.2", "TLSv1.3"})
        self.assertEqual({line.split()[2] for line in seen}, {"a.test"})

    def test_no_shared_version(self):
        self.start_to(self.start_nginx_tls()["old"], versions={"min": "1.3"})
        self.bad()

    def test_sessions_are_resumed(self):
        """A connection for each request; of TLS 1.3 all but the first come with a ticket."""
        ports = self.start_nginx_tls(keep=1)
        for versions, then in (({"max": "1.2"}, "."), ({"min": "1.3"}, "r")):
            with self.subTest(versions):
                log = os.path.join(self.folder, "tls.log")
                before = len(self.lines(log))
                self.start_to(ports["h1"], versions=versions)
                for _ in range(6):
                    self.assertEqual(self.get("/small").status, 200)
                harness.until("six lines", lambda: len(self.lines(log)) == before + 6)
                reused = [line.split()[1] for line in self.lines(log)[before:]]
                self.assertEqual(reused, ["."] + [then] * 5)

    def lines(self, path):
        with open(path) as f:
            return f.read().splitlines()

    def test_own_certificate(self):
        port = self.start_nginx_tls()["asks"]
        self.start_to(port, cert=cert("client-dns.crt"), key=cert("client-dns.key"))
        answer = self.get()
        self.assertEqual((answer.status, b"CN=client.test" in answer.body), (200, True), answer.body)
        self.start_to(port)
        self.assertEqual(self.get().status, 400)  # nginx's own

    def test_nghttpd(self):
        root = os.path.join(self.folder, "root")
        os.mkdir(root)
        self.write_file("root/big", BIG)
        self.write_file("root/small", b"hello\n")
        port = free_port()
        self.start(need("nghttpd"), "-a", HOST, "-d", root, port, cert("a-p256.key"),
                   cert("a-p256.crt"), port=port)
        self.start_to(port, "h2")
        self.check_files()

    def test_s_server(self):
        for words in (("-tls1_2",), ("-tls1_3",), ("-tls1_3", "-groups", "P-384"),
                      ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"),
                      ("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256")):
            with self.subTest(words):
                port = free_port()
                self.start(need("openssl"), "s_server", "-accept", "%s:%d" % (HOST, port), "-WWW",
                           "-quiet", "-cert", cert("a-p256.crt"), "-cert_chain", cert("a-p256.crt"),
                           "-key", cert("a-p256.key"), *words, cwd=self.folder, port=port)
                self.write_file("file", BIG)
                self.start_to(port)
                self.assertTrue(self.get("/file").body == BIG)

    def test_s_server_with_weak_suites_alone(self):
        port = free_port()
        self.start(need("openssl"), "s_server", "-accept", "%s:%d" % (HOST, port), "-www", "-tls1_2",
                   "-cipher", "ECDHE-RSA-AES128-SHA:AES128-SHA:AES128-GCM-SHA256:@SECLEVEL=0", "-quiet",
                   "-cert", cert("a-rsa.crt"), "-key", cert("a-rsa.key"), port=port)
        self.start_to(port)
        self.bad()


class Serving(http1.Server):
    """Python's TLS; each connection is served by serve(tls socket)."""

    def __init__(self, name, serve=None, **more):
        self.context = secure.server_context(name, **more)
        self.handshakes = 0
        self.serve_tls = serve or self.answer
        super().__init__(self.secure)

    def secure(self, stream):
        try:
            sock = self.context.wrap_socket(stream.sock, server_side=True)
        except (ssl.SSLError, OSError):
            return
        self.handshakes += 1
        self.serve_tls(sock)

    def answer(self, sock):
        stream = http1.Stream(sock)
        while not stream.at_end():
            stream.request()
            stream.send(http1.ok(b"secret\n"))


class Names(Upstream):
    """Who presents the wrong certificate is not spoken with."""

    def serve(self, name, **more):
        server = Serving(name, **more)
        self.addCleanup(server.close)
        return server

    def test_right(self):
        for name, expected in (("a-p256", "a.test"), ("a-rsa", "A.Test"), ("a-p384", "a.test"),
                               ("wild", "x.wild.test"), ("many", "127.0.0.1"), ("many", "::1"),
                               ("many", "c.test")):
            with self.subTest(name + " " + expected):
                self.start_to(self.serve(name).port, server_name=expected)
                self.assertEqual(self.get().body, b"secret\n")

    def test_wrong(self):
        for name, expected, words in (("other", "a.test", ("expected", "a.test", "other.test")),
                                      ("wild", "x.y.wild.test", ("x.y.wild.test", "*.wild.test")),
                                      ("wild", "wild.test", ("*.wild.test",)),
                                      ("many", "127.0.0.2", ("127.0.0.2", "localhost")),
                                      ("cn-only", "a.test", ("a.test",)),
                                      ("expired", "a.test", ("expired",)),
                                      ("future", "a.test", ("not yet",)),
                                      ("self", "a.test", ()), ("by-stranger", "a.test", ()),
                                      ("by-leaf", "a.test", ()), ("client-dns", "client.test", ())):
            with self.subTest(name):
                server = self.serve(name)
                self.start_to(server.port, server_name=expected)
                self.bad(*words)

    def test_weak(self):
        for name in ("rsa1024", "sha1"):
            with self.subTest(name):
                server = self.serve("a-p256")
                server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                server.context.set_ciphers("DEFAULT:@SECLEVEL=0")
                server.context.load_cert_chain(cert(name + ".crt"), cert(name + ".key"))
                self.start_to(server.port)
                self.bad()

    def test_the_address_is_the_name(self):
        """Nothing is said of a name: the endpoint's address must be in the certificate."""
        server = self.serve("many")
        self.gw = self.start_gw([cluster("web", server.port, tls={"ca": cert("root.crt")})])
        self.bad("expected a certificate for " + HOST, "b.test")

    def test_revoked(self):
        for name, status in (("a-p256", 200), ("revoked", 502)):
            with self.subTest(name):
                self.start_to(self.serve(name).port, ca=cert("ca.crt"), crl=cert("ca.crl"))
                self.assertEqual(self.get().status, status)
        self.assertIn("revoked", self.gw.log())

    def test_not_verified(self):
        for name in ("self", "expired", "other"):
            with self.subTest(name):
                self.start_to(self.serve(name).port, verify="off")
                self.assertEqual(self.get().body, b"secret\n")

    def test_a_post_is_not_sent(self):
        """A handshake that fails has sent nothing: no byte of a request is for a stranger."""
        server = self.serve("other")
        self.start_to(server.port)
        self.assertEqual(self.get("/", "POST", b"password").status, 502)
        self.assertIn("upstream_tls_failed", self.gw.entry(method="POST")["cause"])


class Trouble(Upstream):
    def test_a_clear_server(self):
        origin = http1.Origin()
        self.addCleanup(origin.close)
        origin.errors = []
        self.start_to(origin.port)
        self.bad()

    def test_a_server_that_is_silent(self):
        server = http1.Server(lambda stream: stream.rest())
        self.addCleanup(server.close)
        self.start_to(server.port, more={"timeouts": {"connect": "300ms"}})
        answer = self.get()
        self.assertIn(answer.status, (502, 503, 504))

    def test_a_server_that_closes(self):
        for n in (0, 1, 5, 100):
            with self.subTest(n):
                server = http1.Server(lambda stream: stream.exact(n))
                self.addCleanup(server.close)
                self.start_to(server.port)
                self.assertIn(self.get().status, (502, 503))

    def test_truncation_is_seen(self):
        """A body until the end is whole if close_notify says so, and not by the end of TCP alone."""
        def serve(sock):
            http1.Stream(sock).request()
            sock.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + pattern(50000))
            if self.is_orderly:
                sock.unwrap()
            else:
                sock.shutdown(2)

        server = Serving("a-p256", serve)
        self.addCleanup(server.close)
        self.start_to(server.port)
        for self.is_orderly in (True, False):
            with http1.Client(self.gw.port) as c:
                c.send(http1.text("GET /%s HTTP/1.1" % self.is_orderly, "Host: a.test"))
                if self.is_orderly:
                    self.assertTrue(c.response().body == pattern(50000))
                else:
                    self.assertRaises((EOFError, http1.Malformed, ConnectionError), c.response)
        self.assertNotEqual(self.gw.entry(path="/False")["cause"], "none")

    def test_many_at_once(self):
        server = Serving("a-p256")
        self.addCleanup(server.close)
        self.start_to(server.port)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.get().body)) for _ in range(64)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(answers, [b"secret\n"] * 64)
        self.assertLessEqual(server.handshakes, 64)

    def test_connections_are_used_again(self):
        server = Serving("a-p256")
        self.addCleanup(server.close)
        self.start_to(server.port)
        for _ in range(20):
            self.assertEqual(self.get().body, b"secret\n")
        self.assertEqual(server.handshakes, 1)


# ---- gRPC, TLS on both sides


class Grpc(harness.PeerCase):
    @classmethod
    def setUpClass(cls):
        secure.need_tls()
        cls.grpc = need_module("grpc", "python3-grpcio")

    def serve(self, name):
        from concurrent import futures
        import grpc_origin
        server = self.grpc.server(futures.ThreadPoolExecutor(8), options=grpc_origin.LIMIT)
        server.add_generic_rpc_handlers([grpc_origin.Echo()])
        pair = tuple(open(cert(name + end), "rb").read() for end in (".key", ".crt"))
        port = server.add_secure_port(HOST + ":0", self.grpc.ssl_server_credentials([pair]))
        server.start()
        self.addCleanup(server.stop, None)
        return port

    def channel(self, name):
        self.gw = self.start_gw([cluster("rpc", self.serve(name), "h2", tls=tls())],
                                edge={"tls": secure.listener("a-p256")})
        with open(cert("root.crt"), "rb") as f:
            credentials = self.grpc.ssl_channel_credentials(f.read())
        options = [("grpc.ssl_target_name_override", "a.test")]
        channel = self.grpc.secure_channel("%s:%d" % (HOST, self.gw.port), credentials, options)
        self.addCleanup(channel.close)
        return channel

    def test_calls(self):
        channel = self.channel("a-rsa")
        unary = channel.unary_unary("/echo.Echo/Unary")
        for size in (0, 1, 16384, 65536, 2 << 20):
            message = pattern(size, size + 1)
            self.assertEqual(unary(message, timeout=20), message)
        got = list(channel.unary_stream("/echo.Echo/Download")(b"500 4000", timeout=20))
        self.assertEqual(got, [bytes([i % 256]) * 4000 for i in range(500)])
        messages = [bytes([i % 256]) * 4000 for i in range(500)]
        told = channel.stream_unary("/echo.Echo/Upload")(iter(messages), timeout=20)
        sha = hashlib.sha256(b"".join(messages)).hexdigest()
        self.assertEqual(told.decode(), "500 2000000 " + sha)
        chat = channel.stream_stream("/echo.Echo/Chat")(iter([b"%d" % i for i in range(100)]), timeout=20)
        self.assertEqual(list(chat), [b"%d" % i for i in range(100)])

    def test_a_wrong_name(self):
        call = self.channel("other").unary_unary("/echo.Echo/Unary")
        with self.assertRaises(self.grpc.RpcError) as caught:
            call(b"x", timeout=20)
        self.assertEqual(caught.exception.code(), self.grpc.StatusCode.UNAVAILABLE)
        for word in ("expected", "a.test", "other.test"):
            self.assertIn(word, caught.exception.details())
        self.assertIn("upstream_tls_failed", self.gw.entry(grpc_status=14)["cause"])


if __name__ == "__main__":
    harness.main()
