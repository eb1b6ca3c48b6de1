"""A small name server on loopback, UDP and TCP on one port, that says what a test wants."""

import contextlib
import socket
import struct
import threading

import harness

TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "AAAA": 28, "SRV": 33}
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


def wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def data(kind, value):
    """The bytes of a record: an address, a name, or (priority, weight, port, target)."""
    if kind == "A":
        return socket.inet_pton(socket.AF_INET, value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == "SRV":
        return struct.pack("!HHH", *value[:3]) + wire(value[3])
    return wire(value)


def record(name, kind, ttl, value):
    body = data(kind, value)
    return wire(name) + struct.pack("!HHIH", TYPES[kind], 1, ttl, len(body)) + body


class NameServer:
    """records: {(name, type): (ttl, [values])}; what is not there does not exist. code not None: the answer
    to everything. asked: (name, type) of each question, in order. twist: changes a response's bytes."""

    def __init__(self):
        self.lock = threading.Lock()
        self.records, self.asked = {}, []
        self.code = self.twist = None
        self.is_silent = False
        self.udp = self.tcp = None
        self.port = self._find_port()
        self.open()

    def _find_port(self):
        while True:
            port = harness.free_port()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, contextlib.suppress(OSError):
                s.bind((harness.HOST, port))
                return port

    @property
    def address(self):
        return "%s:%d" % (harness.HOST, self.port)

    def open(self):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((harness.HOST, self.port))
        self.tcp = socket.socket()
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((harness.HOST, self.port))
        self.tcp.listen(64)
        threading.Thread(target=self._serve_udp, args=(self.udp,), daemon=True).start()
        threading.Thread(target=self._serve_tcp, args=(self.tcp,), daemon=True).start()

    def close(self):
        for sock in (self.udp, self.tcp):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def set(self, name, kind, *values, ttl=0):
        with self.lock:
            self.records[(name, kind)] = (ttl, list(values))

    def drop(self, name, kind):
        with self.lock:
            self.records.pop((name, kind), None)

    def count(self, name, kind):
        with self.lock:
            return self.asked.count((name, kind))

    # ---- answers

    def _question(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        kind = next((k for k, v in TYPES.items() if v == kind), str(kind))
        return ".".join(labels).lower(), kind, query[12:at + 5]

    def answer(self, query, is_udp):
        name, kind, question = self._question(query)
        with self.lock:
            self.asked.append((name, kind))
            is_silent, code, twist = self.is_silent, self.code, self.twist
            exists = any(key[0] == name for key in self.records)
            found = []
            at = name
            while code is None:
                ttl, values = self.records.get((at, kind), (0, []))
                found += [record(at, kind, ttl, value) for value in values]
                ttl, alias = self.records.get((at, "CNAME"), (0, []))
                if values or not alias or len(found) > 20:
                    break
                found.append(record(at, "CNAME", ttl, alias[0]))
                at = alias[0]
        if is_silent:
            return None
        if code is None:
            code = NOERROR if exists else NXDOMAIN
        flags = 0x8180 | code
        body = b"".join(found)
        count = len(found)
        if is_udp and len(body) > 1000:
            flags, body, count = flags | 0x0200, b"", 0
        head = query[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 0)
        response = head + question + body
        return twist(response) if twist else response

    def _serve_udp(self, sock):
        while True:
            try:
                query, peer = sock.recvfrom(4096)
                if not query:
                    return  # it is being closed
                response = self.answer(query, True)
                if response is not None:
                    sock.sendto(response, peer)
            except OSError:
                return

    def _serve_tcp(self, sock):
        while True:
            try:
                stream, _ = sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_stream, args=(stream,), daemon=True).start()

    def _serve_stream(self, stream):
        with stream, contextlib.suppress(OSError, EOFError):
            stream.settimeout(harness.WAIT)
            while True:
                size = struct.unpack("!H", self._exact(stream, 2))[0]
                response = self.answer(self._exact(stream, size), False)
                if response is None:
                    return
                stream.sendall(struct.pack("!H", len(response)) + response)

    def _exact(self, stream, size):
        got = b""
        while len(got) < size:
            more = stream.recv(size - len(got))
            if not more:
                raise EOFError
            got += more
        return got
