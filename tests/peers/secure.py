"""What the tests with TLS share: the certificates, contexts that trust them, openssl s_client."""

import ctypes
import os
import re
import socket
import ssl

import harness
from harness import HOST

CERTS = os.path.join(harness.ROOT, "tests", "certs")


def cert(name):
    return os.path.join(CERTS, name)


def pair(name, key=None, **more):
    """An entry of certificates."""
    return dict(cert=cert(name + ".crt"), key=cert((key or name) + ".key"), **more)


def listener(*names, **more):
    """The listener's tls with these certificates."""
    return dict(more, certificates=[n if isinstance(n, dict) else pair(n) for n in names])


def need_tls():
    status, out, _ = harness.run_program(harness.GW, "version")
    if status != 0 or b"tls=" not in out:
        harness.lack("no TLS in " + harness.GW)


def context(trust="root.crt", version=None, alpn=("http/1.1",), own=None):
    """A client's."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.load_verify_locations(cert(trust))
    c.set_alpn_protocols(list(alpn))
    if version:
        c.minimum_version = c.maximum_version = version
    if own:
        c.load_cert_chain(cert(own + ".crt"), cert(own + ".key"))
    return c


def server_context(name, alpn=("http/1.1",), trust=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(cert(name + ".crt"), cert(name + ".key"))
    c.set_alpn_protocols(list(alpn))
    if trust:
        c.load_verify_locations(cert(trust))
        c.verify_mode = ssl.CERT_REQUIRED
    return c


def wrap(port, name="a.test", session=None, **more):
    """A connection to the port, its handshake done."""
    sock = harness.connect(port)
    try:
        return context(**more).wrap_socket(sock, server_hostname=name, session=session)
    except BaseException:
        sock.close()
        raise


def ask(sock, path="/", host="a.test"):
    """One request that ends the connection: all of the answer."""
    sock.sendall(b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
                 % (path.encode(), host.encode()))
    answer = b""
    while True:
        some = sock.recv(65536)
        if not some:
            return answer
        answer += some


def presented(port, name, **more):
    """The common name of what is presented to who asks for that name."""
    c = context(**more)
    c.check_hostname = False
    with c.wrap_socket(harness.connect(port), server_hostname=name) as sock:
        subject = dict(part[0] for part in sock.getpeercert()["subject"])
        ask(sock, host=name or "a.test")
        return subject["commonName"]


def s_client(port, *words, say=b"Q\n", name="a.test"):
    """openssl s_client's exit status and all that it prints."""
    status, out, error = harness.run_program(
        harness.need("openssl"), "s_client", "-connect", "%s:%d" % (HOST, port),
        *(("-servername", name) if name else ("-noservername",)), "-CAfile", cert("root.crt"),
        *words, input_bytes=say,
    )  # fmt: skip
    return status, out.decode(errors="replace") + error


def agreed(text):
    """(version, suite) that s_client tells, or None."""
    found = re.search(r"^New, (\S+), Cipher is (\S+)$", text, re.M)
    return None if found is None or found.group(1) == "(NONE)" else found.groups()


class BytesOnly:
    """A TLS client over memory: its bytes are sent as the test likes."""

    def __init__(self, name="a.test", **more):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context(**more).wrap_bio(self.incoming, self.outgoing, server_hostname=name)

    def step(self, what):
        """Does it, or says that more is needed (None)."""
        try:
            return what()
        except ssl.SSLWantReadError:
            return None

    def hello(self):
        self.step(self.tls.do_handshake)
        return self.outgoing.read()

    def run(self, sock, what, send):
        while True:
            done = self.step(what)
            out = self.outgoing.read()
            if out:
                send(out)
            if done is not None or what == self.tls.do_handshake and self.tls.version() and \
                    self.tls.cipher() and self.is_over():
                return done
            some = sock.recv(65536)
            if not some:
                raise EOFError
            self.incoming.write(some)

    def is_over(self):
        try:
            self.tls.getpeercert()
            return True
        except ValueError:
            return False


class Keys:
    """OpenSSL itself, for what Python's ssl has no call for."""

    def __init__(self, port):
        self.lib = ctypes.CDLL("libssl.so.3")
        for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
            getattr(self.lib, name).restype = ctypes.c_void_p
        self.sock = socket.create_connection((HOST, port), timeout=20)
        self.ctx = ctypes.c_void_p(self.lib.SSL_CTX_new(ctypes.c_void_p(self.lib.TLS_client_method())))
        self.ssl = ctypes.c_void_p(self.lib.SSL_new(self.ctx))
        self.sock.settimeout(None)
        self.lib.SSL_set_fd(self.ssl, self.sock.fileno())
        assert self.lib.SSL_connect(self.ssl) == 1

    def update(self, n):
        """So many KeyUpdates, each of which asks for one in return."""
        for _ in range(n):
            self.lib.SSL_key_update(self.ssl, 1)
            if self.lib.SSL_do_handshake(self.ssl) != 1:
                return

    def ask(self):
        request = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
        self.lib.SSL_write(self.ssl, request, len(request))
        room = ctypes.create_string_buffer(4096)
        n = self.lib.SSL_read(self.ssl, room, len(room))
        return room.raw[: max(n, 0)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lib.SSL_free(self.ssl)
        self.lib.SSL_CTX_free(self.ctx)
        self.sock.close()
