"""HTTP/2 by hand: frames are written and read here, only HPACK is python3-hpack's.

Nothing checks what is sent: a test may say whatever RFC 9113 forbids.
"""

import struct

import harness
import http1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY = range(8)
WINDOW_UPDATE, CONTINUATION = 8, 9
END_STREAM = ACK = 1
END_HEADERS, PADDED, HAS_PRIORITY = 4, 8, 32
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

(
    NO_ERROR,
    PROTOCOL_ERROR,
    INTERNAL_ERROR,
    FLOW_CONTROL_ERROR,
    SETTINGS_TIMEOUT,
    STREAM_CLOSED,
    FRAME_SIZE_ERROR,
    REFUSED_STREAM,
    CANCEL,
    COMPRESSION_ERROR,
    CONNECT_ERROR,
    ENHANCE_YOUR_CALM,
) = range(12)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload
        self.fields = None  # of a whole header block

    @property
    def code(self):
        """Of RST_STREAM or GOAWAY."""
        at = 4 if self.kind == GOAWAY else 0
        return struct.unpack(">I", self.payload[at : at + 4])[0]

    @property
    def last(self):
        """Of GOAWAY: the last stream."""
        return struct.unpack(">I", self.payload[:4])[0] & 0x7FFFFFFF

    @property
    def is_end(self):
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)

    def __repr__(self):
        return "frame(%d, flags %d, stream %d, %r)" % (
            self.kind,
            self.flags,
            self.stream,
            self.fields or self.payload[:40],
        )


class Connection(http1.Stream):
    """One end of an HTTP/2 connection, either role."""

    def __init__(self, sock):
        super().__init__(sock)
        hpack = harness.need_module("hpack", "python3-hpack")
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.credit = True  # give windows back as DATA comes
        self.answers_pings = True

    def block(self, fields):
        return self.encoder.encode(fields)

    def headers(self, stream, fields, end=False, flags=END_HEADERS):
        return frame(HEADERS, flags | (END_STREAM if end else 0), stream, self.block(fields))

    def read(self):
        """The next frame; header blocks are joined and decoded; SETTINGS and PING answered."""
        head = self.exact(9)
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        f = Frame(kind, flags, stream & 0x7FFFFFFF, self.exact(int.from_bytes(head[:3], "big")))
        if kind == HEADERS:
            block = f.payload
            if flags & PADDED:
                block = block[1 : len(block) - block[0]]
            if flags & HAS_PRIORITY:
                block = block[5:]
            while not f.flags & END_HEADERS:
                more = self.exact(9)
                assert more[3] == CONTINUATION, "CONTINUATION must follow"
                f.flags |= more[4] & END_HEADERS
                block += self.exact(int.from_bytes(more[:3], "big"))
            f.fields = [(str(n), str(v)) for n, v in self.decoder.decode(block)]
        elif kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK and self.answers_pings:
            self.send(frame(PING, ACK, 0, f.payload))
        elif kind == DATA and f.payload and self.credit:
            grant = struct.pack(">I", len(f.payload))
            self.send(frame(WINDOW_UPDATE, 0, 0, grant))
            if not flags & END_STREAM:
                self.send(frame(WINDOW_UPDATE, 0, f.stream, grant))
        return f

    def find(self, kind, stream=None, flags=0):
        """Reads until a frame of that kind; others are passed over. None: the peer has ended."""
        while True:
            try:
                f = self.read()
            except (EOFError, ConnectionError):
                return None
            if f.kind == kind and stream in (None, f.stream) and f.flags & flags == flags:
                return f

    def message(self, stream):
        """What comes on a stream to its end: (fields, body, trailers, RST_STREAM code or None)."""
        fields, body, trailers = None, [], None
        while True:
            f = self.read()
            if f.kind == GOAWAY and f.code != NO_ERROR:
                raise AssertionError("GOAWAY %d: %r" % (f.code, f.payload))
            if f.stream != stream:
                continue
            if f.kind == RST_STREAM:
                return fields, b"".join(body), trailers, f.code
            if f.kind == HEADERS and dict(f.fields).get(":status", "2")[0] == "1":
                continue
            if f.kind == HEADERS and fields is None:
                fields = f.fields
            elif f.kind == HEADERS:
                trailers = f.fields
            elif f.kind == DATA:
                body.append(f.payload)
            if f.is_end:
                return fields, b"".join(body), trailers, None


class Client(Connection):
    def __init__(self, port, preface=True, settings=b""):
        super().__init__(harness.connect(port))
        if preface:
            self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def settle(self):
        """Until our SETTINGS are acknowledged: what comes later is about what is sent later."""
        if self.find(SETTINGS, 0, ACK) is None:
            raise AssertionError("the connection ended before SETTINGS were acknowledged")
        return self


def request_fields(method="GET", path="/", *more, authority="a.example", scheme="http"):
    return [
        (":method", method),
        (":scheme", scheme),
        (":authority", authority),
        (":path", path),
    ] + list(more)


class Server(http1.Server):
    """An h2 upstream by hand: serve(connection) after the preface and SETTINGS were exchanged."""

    def __init__(self, serve, settings=b""):
        self.serve_h2 = serve
        self.settings = settings
        super().__init__(self._begin)

    def _begin(self, stream):
        connection = Connection(stream.sock)
        if connection.exact(len(PREFACE)) != PREFACE:
            raise http1.Malformed("no preface")
        connection.send(frame(SETTINGS, 0, 0, self.settings))
        self.serve_h2(connection)
