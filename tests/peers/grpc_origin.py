"""The gRPC upstream of the tests in Python: grpc_origin.py ADDRESS.  node/origin.js is its twin.

Messages are bytes as they are: no protobuf.  echo.Echo has
  Unary     the request; x-* metadata comes back as initial metadata, and x-trailing: yes
  Download  "COUNT SIZE": that many messages of that size
  Upload    all requests: "COUNT BYTES SHA256"
  Chat      each request comes back at once
  Fail      status 5 with a message and details as they are hard to carry
  Hang      sends its initial metadata, never answers; counts when it is cancelled
  Left      the milliseconds of its deadline, or "none"
  Cancelled the count of Hang's cancellations
"""

import hashlib
import sys
import threading
from concurrent import futures

import grpc

LIMIT = [("grpc.max_receive_message_length", 8 << 20), ("grpc.max_send_message_length", 8 << 20)]
DETAILS = b"\x08\x05\x12\x04d\xc3\xa9t\x00\xff\xfe"
TEXT = "nichts da: 100% \u00fc\nzweite Zeile"


class Echo(grpc.GenericRpcHandler):
    def __init__(self):
        self.cancelled = 0
        self.lock = threading.Lock()

    def service(self, call):
        name = call.method.rsplit("/", 1)[1]
        kinds = {
            "Unary": (grpc.unary_unary_rpc_method_handler, self.unary),
            "Download": (grpc.unary_stream_rpc_method_handler, self.download),
            "Upload": (grpc.stream_unary_rpc_method_handler, self.upload),
            "Chat": (grpc.stream_stream_rpc_method_handler, self.chat),
            "Fail": (grpc.unary_unary_rpc_method_handler, self.fail),
            "Hang": (grpc.unary_unary_rpc_method_handler, self.hang),
            "Left": (grpc.unary_unary_rpc_method_handler, self.left),
            "Cancelled": (grpc.unary_unary_rpc_method_handler, lambda r, c: b"%d" % self.cancelled),
        }
        if not call.method.startswith("/echo.Echo/") or name not in kinds:
            return None
        make, serve = kinds[name]
        return make(serve)

    def unary(self, request, context):
        sent = [(k, v) for k, v in context.invocation_metadata() if k.startswith("x-")]
        context.send_initial_metadata(sent)
        context.set_trailing_metadata([("x-trailing", "yes"), ("x-trailing-bin", b"\0\xff")])
        return request

    def download(self, request, context):
        count, size = map(int, request.split())
        for i in range(count):
            yield bytes([i % 256]) * size

    def upload(self, requests, context):
        count, total, digest = 0, 0, hashlib.sha256()
        for message in requests:
            count += 1
            total += len(message)
            digest.update(message)
        return b"%d %d %b" % (count, total, digest.hexdigest().encode())

    def chat(self, requests, context):
        yield from requests

    def fail(self, request, context):
        context.set_trailing_metadata([("grpc-status-details-bin", DETAILS)])
        context.abort(grpc.StatusCode.NOT_FOUND, TEXT)

    def hang(self, request, context):
        over = threading.Event()
        if context.add_callback(over.set):
            context.send_initial_metadata([])
            over.wait(30)
        with self.lock:
            self.cancelled += 1
        return b""

    def left(self, request, context):
        left = context.time_remaining()
        return b"none" if left is None or left > 1e9 else b"%d" % int(left * 1000)


def main(address):
    server = grpc.server(futures.ThreadPoolExecutor(16), options=LIMIT)
    server.add_generic_rpc_handlers([Echo()])
    if server.add_insecure_port(address) == 0:
        sys.exit("cannot listen on " + address)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(sys.argv[1])
