"""TLS of a listener, by other people's clients: curl, openssl s_client, Python, Node, h2load."""

import os
import shutil
import signal
import socket
import ssl
import threading

import curl_test
import harness
import http1
import secure
from harness import HOST, cluster, need, pattern, route
from secure import ask, cert, listener, pair, presented, s_client, wrap

REPLY = [{"name": "all", "match": {"prefix": "/"}, "respond": {"status": 200, "body": "here\n"}}]


class Secure(harness.PeerCase):
    """A gateway that answers itself, by TLS."""

    def setUp(self):
        super().setUp()
        secure.need_tls()

    def start_tls(self, *names, edge=None, **more):
        self.gw = self.start_gw(
            [cluster("nobody", 1)], more.pop("routes", REPLY),
            edge=dict(edge or {}, tls=listener(*(names or ("a-p256",)), **more.pop("tls", {}))),
            **more,
        )  # fmt: skip
        return self.gw.port

    def fault(self, words):
        """A line of the log with these words."""
        harness.until("a line with %r in:\n%s" % (words, self.gw.log()),
                      lambda: any(words in line for line in self.gw.log().splitlines()))

    def refused(self, port, words, **more):
        """No handshake, or its end is told by the first read (TLS 1.3)."""
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            with wrap(port, **more) as sock:
                if ask(sock) == b"":
                    raise ConnectionResetError
        self.fault(words)


# ---- curl: all that it does in clear, by TLS too


class CurlTls(curl_test.Curl):
    def setUp(self):
        harness.PeerCase.setUp(self)
        secure.need_tls()
        self.start_gw = self.start_secure
        self.origin = http1.Origin(curl_test.echo)
        self.addCleanup(self.origin.close)
        self.gw = self.start_gw([cluster("web", self.origin.port)])

    def start_secure(self, clusters, routes=None, **more):
        edge = dict(more.pop("edge", {}), tls=listener("a-p256"))
        return self.ground.start_gw(clusters, routes, edge=edge, **more)

    def url(self, path):
        return "https://a.test:%d%s" % (self.gw.port, path)

    def curl(self, path, *more, **how):
        to = "a.test:%d:%s:%d" % (self.gw.port, HOST, self.gw.port)
        return super().curl(path, "--connect-to", to, "--cacert", cert("root.crt"), *more, **how)


class CurlH1Tls12(CurlTls, harness.PeerCase):
    words = ("--http1.1", "--tls-max", "1.2")
    version = "1.1"
    cut_status = 18


class CurlH2Tls13(CurlTls, harness.PeerCase):
    words = ("--http2", "--tlsv1.3")
    version = "2"
    cut_status = 92


# ---- what is agreed on


class Agreement(Secure):
    TLS13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
    TLS12 = ["ECDHE-%s-" + kind for kind in ("AES128-GCM-SHA256", "AES256-GCM-SHA384",
                                             "CHACHA20-POLY1305")]
    WEAK = ["AES128-GCM-SHA256", "AES256-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA256",
            "ECDHE-ECDSA-AES128-CCM8", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-NULL-SHA",
            "ADH-AES128-GCM-SHA256", "CAMELLIA128-SHA"]  # fmt: skip

    def test_suites(self):
        port = self.start_tls("a-p256", "a-rsa")
        for suite in self.TLS13:
            with self.subTest(suite):
                _, text = s_client(port, "-tls1_3", "-ciphersuites", suite)
                self.assertEqual(secure.agreed(text), ("TLSv1.3", suite), text)
        for suite in [s % kind for s in self.TLS12 for kind in ("ECDSA", "RSA")]:
            with self.subTest(suite):
                _, text = s_client(port, "-tls1_2", "-cipher", suite)
                self.assertEqual(secure.agreed(text), ("TLSv1.2", suite), text)
                self.assertIn("Compression: NONE", text)
                self.assertIn("Secure Renegotiation IS supported", text)

    def test_weak_suites_are_refused(self):
        port = self.start_tls("a-p256", "a-rsa")
        for suite in self.WEAK:
            with self.subTest(suite):
                _, text = s_client(port, "-tls1_2", "-cipher", suite + ":@SECLEVEL=0")
                self.assertIsNone(secure.agreed(text), text)
                self.assertIn("alert handshake failure", text)

    def test_old_versions_are_refused(self):
        port = self.start_tls()
        for version in ("-tls1", "-tls1_1"):
            with self.subTest(version):
                _, text = s_client(port, version, "-cipher", "ALL:@SECLEVEL=0")
                self.assertIsNone(secure.agreed(text), text)
                self.assertIn("alert protocol version", text)

    def test_versions_may_be_narrower(self):
        port = self.start_tls(tls={"versions": {"min": "1.3"}})
        self.assertIsNone(secure.agreed(s_client(port, "-tls1_2")[1]))
        self.assertEqual(secure.agreed(s_client(port, "-tls1_3")[1])[0], "TLSv1.3")
        port = self.start_tls(tls={"versions": {"max": "1.2"}})
        self.assertIsNone(secure.agreed(s_client(port, "-tls1_3")[1]))
        self.assertEqual(secure.agreed(s_client(port)[1])[0], "TLSv1.2")

    def test_groups(self):
        port = self.start_tls("a-rsa")  # in TLS 1.2 the groups are of certificates too
        for version in ("-tls1_2", "-tls1_3"):
            for group, told in (("X25519", "X25519"), ("P-256", "prime256v1"), ("P-384", "secp384r1")):
                with self.subTest(version + group):
                    _, text = s_client(port, version, "-groups", group)
                    self.assertRegex(text, "Server Temp Key: .*(%s|%s)" % (told, group))
        self.assertIsNone(secure.agreed(s_client(port, "-tls1_3", "-groups", "P-521")[1]))

    def test_the_first_group_is_x25519(self):
        port = self.start_tls()
        _, text = s_client(port, "-groups", "P-256:X25519")
        self.assertIsNotNone(secure.agreed(text), text)
        _, text = s_client(port)
        self.assertIn("Server Temp Key: X25519", text)

    def test_a_group_may_be_asked_for_again(self):
        """The client's key share is of a group that is not ours: HelloRetryRequest."""
        _, text = s_client(self.start_tls(), "-tls1_3", "-groups", "P-521:P-256")
        self.assertIsNotNone(secure.agreed(text), text)

    def test_renegotiation_is_refused(self):
        port = self.start_tls()
        _, text = s_client(port, "-tls1_2", say=b"R\nGET / HTTP/1.1\nHost: a.test\n\n")
        self.assertIsNotNone(secure.agreed(text))
        self.assertNotIn("HTTP/1.1 200", text)

    def test_alpn(self):
        port = self.start_tls()
        for offered, chosen in (("h2,http/1.1", "h2"), ("http/1.1", "http/1.1"), ("h2", "h2")):
            with self.subTest(offered):
                _, text = s_client(port, "-alpn", offered)
                self.assertIn("ALPN protocol: " + chosen, text)
        self.assertIn("No ALPN negotiated", s_client(port)[1])
        _, text = s_client(port, "-alpn", "spdy/1")
        self.assertIn("alert no application protocol", text)

    def test_alpn_of_one_protocol(self):
        port = self.start_tls(edge={"protocols": ["h1"]})
        self.assertIn("ALPN protocol: http/1.1", s_client(port, "-alpn", "h2,http/1.1")[1])
        self.assertIn("alert no application protocol", s_client(port, "-alpn", "h2")[1])


# ---- which certificate


class Choice(Secure):
    def test_by_name(self):
        port = self.start_tls("many", "a-p256", "wild", "other")
        for name, expected in (("a.test", "a.test"), ("A.TEST", "a.test"), ("x.wild.test", "wild.test"),
                               ("x.y.wild.test", "many"), ("wild.test", "many"), ("b.test", "many"),
                               ("other.test", "other.test"), ("unknown.test", "many"),
                               ("127.0.0.1", "many")):
            with self.subTest(name):
                self.assertEqual(presented(port, name), expected)
        self.assertIn("CN = many", s_client(port, name=None)[1])

    def test_exact_before_wildcard(self):
        port = self.start_tls("wild", "many")
        self.assertEqual(presented(port, "b.test"), "many")

    def test_by_what_a_client_can_verify(self):
        port = self.start_tls("a-rsa", "a-p384", "a-p256")
        for words, expected in (((), "a.test"), (("-sigalgs", "RSA-PSS+SHA256"), "a.test rsa"),
                                (("-tls1_2", "-sigalgs", "RSA+SHA256"), "a.test rsa"),
                                (("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), "a.test rsa")):
            with self.subTest(words):
                _, text = s_client(port, *words)
                self.assertIsNotNone(secure.agreed(text), text)
                self.assertRegex(text, r"(?m)^ 0 s:O = [^\n]*, CN = %s" % expected)

    def test_nothing_that_a_client_can_verify(self):
        port = self.start_tls("a-p256")
        _, text = s_client(port, "-sigalgs", "RSA-PSS+SHA256")
        self.assertIsNone(secure.agreed(text))
        self.assertIn("alert handshake failure", text)


# ---- sessions


class Sessions(Secure):
    def resumed(self, port, version, count=6):
        session, reused = None, 0
        for _ in range(count):
            c = self.contexts.setdefault(version, secure.context(version=version))
            with c.wrap_socket(harness.connect(port), server_hostname="a.test", session=session) as s:
                reused += s.session_reused
                self.assertIn(b"here", ask(s))
                session = s.session
        return reused

    def setUp(self):
        super().setUp()
        self.contexts = {}

    def test_are_resumed_by_any_worker(self):
        port = self.start_tls(workers=2)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                self.assertEqual(self.resumed(port, version), 5)

    def test_may_be_off(self):
        port = self.start_tls(tls={"tickets": "off"})
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                self.assertEqual(self.resumed(port, version), 0)


# ---- clients' certificates


class Clients(Secure):
    def start_asking(self, **client):
        client.setdefault("ca", cert("ca.crt"))
        return self.start_tls("a-p256", tls={"client": client})

    def lets(self, port, own):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest("%s %s" % (own, version)), wrap(port, own=own, version=version) as sock:
                self.assertIn(b"here", ask(sock))

    def stops(self, port, own, words):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest("%s %s" % (own, version)):
                self.refused(port, words, own=own, version=version)

    def test_required(self):
        port = self.start_asking()
        for own in ("client-dns", "client-spiffe", "client-cn"):
            self.lets(port, own)
        self.stops(port, None, "certificate")
        self.stops(port, "client-stranger", "link.tls_failed")
        self.stops(port, "client-expired", "expired")

    def test_a_servers_certificate_is_no_clients(self):
        self.stops(self.start_asking(), "wild", "link.tls_failed")

    def test_if_given(self):
        port = self.start_asking(verify="if_given")
        self.lets(port, None)
        self.lets(port, "client-dns")
        self.stops(port, "client-stranger", "link.tls_failed")

    def test_names(self):
        port = self.start_asking(names=["spiffe://mesh.test/ns/shop/sa/web"])
        self.lets(port, "client-spiffe")
        self.stops(port, "client-dns", "client.test")
        port = self.start_asking(names=["*.test"])
        self.lets(port, "client-dns")
        self.stops(port, "client-spiffe", "spiffe://mesh.test/ns/shop/sa/web")

    def test_revoked(self):
        port = self.start_asking(crl=cert("ca.crl"))
        self.lets(port, "client-dns")
        self.stops(port, "client-revoked", "revoked")

    def test_lists_must_be_of_all(self):
        """The intermediate has none: who can say that its clients are not revoked?"""
        self.stops(self.start_asking(crl=cert("root.crl")), "client-dns", "CRL")


# ---- bad input


class Trouble(Secure):
    def test_clear_http_gets_an_answer(self):
        port = self.start_tls()
        with http1.Client(port) as c:
            c.send(http1.text("GET / HTTP/1.1", "Host: a.test"))
            answer = c.response()
            self.assertEqual(answer.status, 400)
            self.assertIn(b"https", answer.body)
            self.assertTrue(c.at_end())
        self.fault("clear HTTP on a port of TLS")

    def test_tls_to_a_clear_port(self):
        gw = self.start_gw([cluster("nobody", 1)], REPLY)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            wrap(gw.port)
        with http1.Client(gw.port) as c:
            c.send(http1.text("GET / HTTP/1.1", "Host: a.test"))
            self.assertEqual(c.response().status, 200)

    def test_new_keys_without_end(self):
        """RFC 8446 4.6.3: a KeyUpdate costs its server more than its client, and is answered."""
        port = self.start_tls()
        with secure.Keys(port) as client:
            client.update(10)
            self.assertIn(b"200 OK", client.ask())
            client.update(1000)
            self.assertEqual(client.ask(), b"")
        self.fault("too many records without any data")

    def test_byte_by_byte(self):
        port = self.start_tls()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version), harness.connect(port) as sock:
                client = secure.BytesOnly(version=version)
                client.run(sock, client.tls.do_handshake, self.dribble(sock))
                client.tls.write(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
                self.assertIn(b"here", client.run(sock, lambda: client.tls.read(65536),
                                                  self.dribble(sock)))

    def dribble(self, sock):
        return lambda out: [sock.sendall(out[i : i + 1]) for i in range(len(out))]

    def test_cut_at_any_byte(self):
        """Of the ClientHello, then of the client's second flight."""
        port = self.start_tls()
        hello = secure.BytesOnly().hello()
        for cut in range(0, len(hello), 7):
            with harness.connect(port) as sock:
                sock.sendall(hello[:cut])
        for cut in range(0, 120, 5):
            with harness.connect(port) as sock:
                client = secure.BytesOnly()
                sock.sendall(client.hello())
                client.incoming.write(sock.recv(65536))
                client.step(client.tls.do_handshake)
                sock.sendall(client.outgoing.read()[:cut])
        with wrap(port) as sock:
            self.assertIn(b"here", ask(sock))

    def test_spoilt_bytes(self):
        """Each byte of a ClientHello is another one: nothing but an end, or a handshake."""
        port = self.start_tls()
        hello = bytearray(secure.BytesOnly().hello())
        for i in range(0, len(hello), 3):
            with harness.connect(port) as sock:
                hello[i] ^= 0x55
                sock.sendall(hello)
                hello[i] ^= 0x55
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
        with wrap(port) as sock:
            self.assertIn(b"here", ask(sock))

    def test_a_record_that_is_too_long(self):
        port = self.start_tls()
        with harness.connect(port) as sock:
            sock.sendall(b"\x16\x03\x01\x48\x01" + b"\x01\x00\x47\xfd" + b"\0" * 0x47FD)
            self.assertIn(sock.recv(100)[:1], (b"\x15", b""))
        with harness.connect(port) as sock:
            client = secure.BytesOnly()
            client.run(sock, client.tls.do_handshake, sock.sendall)
            sock.sendall(b"\x17\x03\x03\x48\x01" + b"\0" * 0x4801)
            while sock.recv(65536):
                pass
        self.fault("link.tls_failed")

    def test_a_spoilt_record(self):
        """A byte of the first request is another one: no answer, an alert, and a line."""
        port = self.start_tls()
        with harness.connect(port) as sock:
            client = secure.BytesOnly()
            client.run(sock, client.tls.do_handshake, sock.sendall)
            client.tls.write(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            out = bytearray(client.outgoing.read())
            out[-1] ^= 1
            sock.sendall(out)
            with self.assertRaises((ssl.SSLError, EOFError)):
                client.run(sock, lambda: client.tls.read(65536) or None, sock.sendall)
        self.fault("link.tls_failed")

    def test_an_upload_that_is_cut(self):
        """TCP ends without close_notify in the middle of a body until the end: nobody takes it for whole."""
        origin = http1.Origin()
        self.addCleanup(origin.close)
        gw = self.start_gw([cluster("web", origin.port)], edge={"tls": listener("a-p256")})
        sock = wrap(gw.port)
        sock.sendall(http1.text("POST / HTTP/1.1", "Host: a.test", "Content-Length: 1000", body=b"x" * 500))
        harness.until("the request at the origin", lambda: origin.connections)
        socket.socket.close(sock)
        entry = gw.entry(method="POST")
        self.assertIsNone(entry["status"])
        self.assertEqual(origin.requests, [])

    def test_many_at_once(self):
        port = self.start_tls("a-p256", "a-rsa")
        troubles = []

        def one(i):
            try:
                with wrap(port, version=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)[i % 2]) as sock:
                    assert b"here" in ask(sock)
            except Exception as e:  # the test tells it
                troubles.append(e)

        threads = [threading.Thread(target=one, args=(i,)) for i in range(100)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(troubles, [])


# ---- other clients


class Node(Secure):
    def test_https_and_http2(self):
        node = need("node")
        port = self.start_tls("a-p256", "wild")
        script = os.path.join(harness.HERE, "node", "tls_client.js")
        status, out, error = harness.run_program(node, script, HOST, port, cert("root.crt"))
        self.assertEqual(status, 0, out.decode() + error)


# ---- certificates that change while traffic flows


class Swap(Secure):
    def setUp(self):
        super().setUp()
        self.put("a-p256", "a-p256")
        self.own = {"cert": "own.crt", "key": "own.key"}  # beside the configuration

    def put(self, chain, key):
        for name, source in (("own.crt", chain + ".crt"), ("own.key", key + ".key")):
            temporary = os.path.join(self.folder, "new")
            shutil.copy(cert(source), temporary)
            os.replace(temporary, os.path.join(self.folder, name))

    def reload(self, verdict):
        before = self.gw.log().count("gw: configuration ")
        self.gw.process.send_signal(signal.SIGHUP)

        def look():
            lines = [x for x in self.gw.log().splitlines() if x.startswith("gw: configuration ")]
            return lines[before:]

        self.assertIn(verdict, harness.until("the reload", look)[-1])

    def test_a_new_pair_and_a_wrong_one(self):
        port = self.start_tls(self.own)
        old = wrap(port)
        self.addCleanup(old.close)
        self.put("a-rsa", "a-rsa")
        self.reload("runs")
        self.assertEqual(presented(port, "a.test"), "a.test rsa")
        self.assertIn(b"here", ask(old))
        for chain, key, what in (("a-p256", "wild", "own.key: "), ("a-p256", "a-rsa", "own.key: "),
                                 ("a-p256", "a-p256-locked", "own.key: ")):
            self.put(chain, key)
            self.reload("stays")
            self.assertIn(what, self.gw.log())
            self.assertEqual(presented(port, "a.test"), "a.test rsa")
        os.unlink(os.path.join(self.folder, "own.key"))
        self.reload("stays")
        self.assertIn("cannot read own.key: No such file or directory", self.gw.log())
        self.assertEqual(presented(port, "a.test"), "a.test rsa")

    def swap_under(self, *words):
        port = self.start_tls(self.own, workers=2)
        load = self.start(need("h2load"), "-t1", "-n", "30000", "-c", "20", *words,
                          "https://%s:%d/" % (HOST, port), name="h2load")
        kinds, at = (("a-rsa", "a.test rsa"), ("a-p256", "a.test"), ("wild", "wild.test")), 0
        while load.process.poll() is None:
            self.put(kinds[at % 3][0], kinds[at % 3][0])
            self.reload("runs")
            harness.until("a worker with the new certificate",
                          lambda: presented(port, None) == kinds[at % 3][1])
            at += 1
        self.assertIn("30000 succeeded, 0 failed, 0 errored, 0 timeout", load.log())
        self.assertGreater(at, 2)

    def test_under_load_of_h2(self):
        self.swap_under("-m", "8")

    def test_under_load_of_h1(self):
        self.swap_under("--h1")


if __name__ == "__main__":
    harness.main()
