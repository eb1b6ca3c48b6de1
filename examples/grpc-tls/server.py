#!/usr/bin/python3
"""The greeter behind the gateway, with the backend's certificate: server.py [PORT]"""

import os
import sys
from concurrent import futures

import grpc

CERTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "certs")


def read(name):
    with open(os.path.join(CERTS, name), "rb") as file:
        return file.read()


class Greeter(grpc.GenericRpcHandler):
    """helloworld.Greeter; its two messages have one text each, so no generated code is needed."""

    def service(self, call):
        if call.method != "/helloworld.Greeter/SayHello":
            return None
        return grpc.unary_unary_rpc_method_handler(self.say_hello)

    def say_hello(self, request, context):
        text = b"Hello " + request[2:]
        return b"\x0a" + bytes([len(text)]) + text


def main():
    port = sys.argv[1] if len(sys.argv) > 1 else "50051"
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([Greeter()])
    pair = (read("backend.key"), read("backend.crt"))
    server.add_secure_port("127.0.0.1:" + port, grpc.ssl_server_credentials([pair]))
    server.start()
    print("greeter on 127.0.0.1:" + port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
