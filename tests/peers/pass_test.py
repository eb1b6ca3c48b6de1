"""TLS that gw passes through: curl, openssl and Python in front, nginx behind; the certificate that each sees is
the upstream's own, so nobody in between can have touched a byte."""

import hashlib
import os
import socket
import ssl

import harness
from harness import HOST, cluster, free_port, need, pattern

CERTS = os.path.join(harness.ROOT, "tests", "certs")
ROOT_CERT = os.path.join(CERTS, "root.crt")
BIG = pattern(12 << 20)

SERVERS = """
  client_max_body_size 0;
  server {{
    listen {host}:{a} ssl http2; ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {certs}/a-p256.crt; ssl_certificate_key {certs}/a-p256.key;
    root {folder}/www;
    location / {{ }}
    location /say {{ return 200 "a $ssl_protocol $ssl_server_name $server_protocol\\n"; }}
    location /dav/ {{ dav_methods PUT; alias {folder}/dav/; }}
  }}
  server {{
    listen {host}:{other} ssl;
    ssl_certificate {certs}/other.crt; ssl_certificate_key {certs}/other.key;
    location /say {{ return 200 "other $ssl_server_name\\n"; }}
  }}
"""


class Through(harness.PeerCase):
    def setUp(self):
        super().setUp()
        self.curl = need("curl")
        for name in ("www", "dav"):
            os.mkdir(os.path.join(self.folder, name))
            os.chmod(os.path.join(self.folder, name), 0o777)
        self.write_file("www/big", BIG)
        ports = {"a": free_port(), "other": free_port()}
        self.start_nginx(
            SERVERS.format(folder=self.folder, host=HOST, certs=CERTS, **ports), ports["a"]
        )
        passed = {"connect": True}
        self.gw = self.start_gw(
            [
                cluster("a", ports["a"], protocol="tcp", health={"interval": "1s"}),
                cluster("other", ports["other"], protocol="tcp"),
                cluster("gone", free_port(), protocol="tcp"),
            ],
            routes=[
                dict(name="a", match={"host": "a.test"}, cluster="a", **passed),
                dict(name="other", match={"host": "*.test"}, cluster="other", **passed),
                dict(name="gone", match={"host": "gone.example"}, cluster="gone", **passed),
            ],
            edge={"protocols": ["tls"]},
        )

    def ask(self, name, path, *words):
        url = "https://%s:%d%s" % (name, self.gw.port, path)
        where = "%s:%d:%s" % (name, self.gw.port, HOST)
        return harness.run_program(
            self.curl, "-sS", "--resolve", where, "--cacert", ROOT_CERT, *words, url
        )

    def test_names_choose(self):
        for words, said in (
            (["--http1.1"], b"a TLSv1.3 a.test HTTP/1.1\n"),
            (["--http2"], b"a TLSv1.3 a.test HTTP/2.0\n"),
            (["--tls-max", "1.2"], b"a TLSv1.2 a.test HTTP/2.0\n"),
        ):
            self.assertEqual((0, said, ""), self.ask("a.test", "/say", *words))
        self.assertEqual((0, b"other other.test\n", ""), self.ask("other.test", "/say"))
        entry = self.gw.entry(route="other")
        self.assertEqual("CONNECT", entry["method"])
        self.assertEqual("other.test:%d" % 443, entry["authority"])
        self.assertEqual("tls", entry["protocol"])
        self.assertEqual(200, entry["status"])

    def test_many_bytes(self):
        code, out, err = self.ask("a.test", "/big")
        self.assertEqual((0, ""), (code, err))
        self.assertEqual(hashlib.sha256(BIG).digest(), hashlib.sha256(out).digest())
        code, out, err = self.ask("a.test", "/dav/up", "-T", os.path.join(self.folder, "www", "big"))
        self.assertEqual((0, ""), (code, err))
        with open(os.path.join(self.folder, "dav", "up"), "rb") as f:
            self.assertEqual(hashlib.sha256(BIG).digest(), hashlib.sha256(f.read()).digest())

    def test_who_is_not_served(self):
        code, _, err = self.ask("a.example", "/say")
        self.assertEqual(35, code)
        self.assertIn("unrecognized name", err)
        self.assertEqual(404, self.gw.entry(authority="a.example:443")["status"])
        code, _, err = self.ask("gone.example", "/say")
        self.assertEqual(35, code)
        self.assertIn("internal error", err)
        code, out, err = harness.run_program(
            self.curl, "-sS", "-w", "%{http_code}", "http://%s:%d/" % (HOST, self.gw.port)
        )
        self.assertEqual((0, ""), (code, err))
        self.assertEqual(b"This port speaks TLS: ask it with https://.\n400", out)

    def test_a_hello_in_pieces(self):
        context = ssl.create_default_context(cafile=ROOT_CERT)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        engine = context.wrap_bio(incoming, outgoing, server_hostname="a.test")
        with harness.connect(self.gw.port) as s:

            def go_on(step):
                while True:
                    try:
                        return step()
                    except ssl.SSLWantReadError:
                        for byte in outgoing.read():
                            s.sendall(bytes([byte]))
                        incoming.write(s.recv(65536))

            go_on(engine.do_handshake)
            engine.write(b"GET /say HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
            said, more = b"", b"."
            while more:
                more = go_on(lambda: engine.read(65536))
                said += more
            self.assertTrue(said.endswith(b"a TLSv1.3 a.test HTTP/1.1\n"), said)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        self.gw.entry(route="a", status=200)

    def test_openssl_resumes(self):
        openssl = need("openssl")
        saved = os.path.join(self.folder, "session")
        words = [openssl, "s_client", "-connect", "%s:%d" % (HOST, self.gw.port), "-servername"]
        words += ["a.test", "-CAfile", ROOT_CERT, "-verify_return_error", "-tls1_2"]
        asked = b"GET /say HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
        for more, said in ((["-sess_out", saved], b"New, "), (["-sess_in", saved], b"Reused, ")):
            code, out, _ = harness.run_program(*words, *more, "-ign_eof", input_bytes=asked)
            self.assertEqual(0, code)
            self.assertIn(said, out)
            self.assertIn(b"Verification: OK", out)


if __name__ == "__main__":
    harness.main()
