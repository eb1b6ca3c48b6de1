"""HTTP/1.1 by hand: a strict reader of messages, raw clients, and origins that do as they are told.

The reader is the second parser that the gateway's output has to please: anything loose is an error.
"""

import re
import socket
import struct
import threading

import harness

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\Z")


class Malformed(Exception):
    pass


class Message:
    def __init__(self, start, fields):
        self.start = start
        self.fields = fields  # [(name, value)], names as they came
        self.body = b""
        self.trailers = []
        self.interim = []  # 1xx messages that came before a response

    @property
    def status(self):
        return int(self.start.split(b" ", 2)[1])

    @property
    def method(self):
        return self.start.split(b" ")[0].decode()

    @property
    def target(self):
        return self.start.split(b" ")[1].decode()

    def all(self, name):
        return [v.decode("latin-1") for n, v in self.fields if n.lower() == name.lower().encode()]

    def get(self, name):
        values = self.all(name)
        return ", ".join(values) if values else None

    def has_token(self, name, token):
        return token in [t.strip().lower() for t in (self.get(name) or "").split(",")]


class Stream:
    """A socket with what was read ahead of it."""

    def __init__(self, sock):
        self.sock = sock
        self.ahead = b""

    def send(self, data):
        self.sock.sendall(data)

    def more(self):
        piece = self.sock.recv(65536)
        self.ahead += piece
        return len(piece) > 0

    def at_end(self):
        """True if the peer has ended and nothing is left; blocks for it."""
        while not self.ahead:
            try:
                if not self.more():
                    return True
            except ConnectionResetError:
                return True
        return False

    def rest(self):
        while self.more():
            pass
        out, self.ahead = self.ahead, b""
        return out

    def exact(self, size):
        pieces, have = [self.ahead[:size]], min(size, len(self.ahead))
        self.ahead = self.ahead[size:]
        while have < size:
            piece = self.sock.recv(min(1 << 20, size - have))
            if not piece:
                raise EOFError("cut after %d of %d bytes" % (have, size))
            pieces.append(piece)
            have += len(piece)
        return b"".join(pieces)

    def line(self):
        while b"\n" not in self.ahead:
            if len(self.ahead) > 1 << 20:
                raise Malformed("endless line")
            if not self.more():
                raise EOFError("end in the middle of a line: %r" % self.ahead)
        line, self.ahead = self.ahead.split(b"\n", 1)
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise Malformed("bare CR or LF in %r" % line)
        return line[:-1]

    def fields(self):
        out = []
        while True:
            line = self.line()
            if not line:
                return out
            name, colon, value = line.partition(b":")
            if not colon or not TOKEN.match(name):
                raise Malformed("field line %r" % line)
            value = value.strip(b" \t")
            if not VALUE.match(value):
                raise Malformed("field value %r" % line)
            out.append((name, value))

    def head(self):
        start = self.line()
        return Message(start, self.fields())

    def chunked(self, message):
        pieces = []
        while True:
            line = self.line()
            if not re.match(rb"[0-9a-fA-F]{1,15}\Z", line):
                raise Malformed("chunk size %r" % line)
            size = int(line, 16)
            if size == 0:
                message.trailers = self.fields()
                message.body = b"".join(pieces)
                return
            pieces.append(self.exact(size))
            if self.exact(2) != b"\r\n":
                raise Malformed("chunk without its end")

    def framed_body(self, message):
        """Body by length or chunks; False: neither is there."""
        lengths, codings = message.all("content-length"), message.all("transfer-encoding")
        if len(lengths) > 1 or len(codings) > 1 or (lengths and codings):
            raise Malformed("ambiguous framing: %r" % message.fields)
        if codings:
            if codings[0].lower() != "chunked":
                raise Malformed("coding %r" % codings[0])
            self.chunked(message)
        elif lengths:
            if not re.match(r"[0-9]+\Z", lengths[0]):
                raise Malformed("length %r" % lengths[0])
            message.body = self.exact(int(lengths[0]))
        else:
            return False
        return True

    def request_head(self):
        message = self.head()
        if not re.match(rb"[!#-'*+.^-z|~A-Z0-9-]+ [\x21-\x7e]+ HTTP/1\.[01]\Z", message.start):
            raise Malformed("request line %r" % message.start)
        if message.start.endswith(b"1.1") and len(message.all("host")) != 1:
            raise Malformed("Host: %r" % message.fields)
        return message

    def request(self):
        message = self.request_head()
        self.framed_body(message)
        return message

    def response_head(self):
        interim = []
        while True:
            message = self.head()
            if not re.match(rb"HTTP/1\.1 [1-5][0-9][0-9] [\t\x20-\x7e\x80-\xff]*\Z", message.start):
                raise Malformed("status line %r" % message.start)
            if message.status >= 200 or message.status == 101:
                message.interim = interim
                return message
            interim.append(message)

    def response(self, method="GET"):
        message = self.response_head()
        if method == "HEAD" or message.status in (101, 204, 304):
            return message
        if not self.framed_body(message):
            message.body = self.rest()
        return message


def text(start, *fields, body=b""):
    """Bytes of a message from its lines."""
    lines = [start] + list(fields)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def ok(body=b"ok\n", *fields, status="200 OK"):
    return text("HTTP/1.1 " + status, "Content-Length: %d" % len(body), *fields, body=body)


def reset(sock):
    """Closes with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Client(Stream):
    """A raw client."""

    def __init__(self, port, timeout=harness.WAIT):
        super().__init__(harness.connect(port, timeout))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


class Server:
    """Accepts on a port of its own; each connection is served by serve(stream) in a thread."""

    def __init__(self, serve, host=harness.HOST, port=0):
        self.serve = serve
        self.listening = socket.socket()
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listening.bind((host, port))
        self.listening.listen(512)
        self.port = self.listening.getsockname()[1]
        self.connections = 0
        self.errors = []
        self.live = set()
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            sock.settimeout(harness.WAIT * 3)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.live.add(sock)
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock):
        try:
            self.serve(Stream(sock))
        except (EOFError, ConnectionError, TimeoutError):
            pass
        except Exception as e:  # a Malformed message is a finding: the test looks at errors
            self.errors.append(e)
        finally:
            self.live.discard(sock)
            sock.close()

    def close(self):
        """The thread is over before its descriptor is another's: else it takes that one's connections."""
        if self.listening.fileno() >= 0:
            self.listening.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.listening.close()
        for sock in list(self.live):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Origin(Server):
    """Keeps the requests it gets; answers(request) gives the bytes of each response."""

    def __init__(self, answer=lambda request: ok()):
        self.answer = answer
        self.requests = []
        super().__init__(self._serve)

    def _serve(self, stream):
        while not stream.at_end():
            request = stream.request_head()
            if request.has_token("expect", "100-continue"):
                stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            stream.framed_body(request)
            self.requests.append(request)
            stream.send(self.answer(request))
