#!/usr/bin/python3
"""Greets through the gateway, and trusts the frontend's certificate alone: client.py [NAME [PORT]]"""

import os
import sys

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    name = (sys.argv[1] if len(sys.argv) > 1 else "World").encode()
    port = sys.argv[2] if len(sys.argv) > 2 else "4443"
    with open(os.path.join(HERE, "certs", "frontend.crt"), "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    # In the place of a line for frontend.local in /etc/hosts.
    options = [("grpc.ssl_target_name_override", "frontend.local")]
    with grpc.secure_channel("127.0.0.1:" + port, credentials, options) as channel:
        call = channel.unary_unary("/helloworld.Greeter/SayHello")
        try:
            print(call(b"\x0a" + bytes([len(name)]) + name, timeout=10)[2:].decode())
        except grpc.RpcError as error:
            sys.exit("%s: %s" % (error.code().name, error.details()))


if __name__ == "__main__":
    main()
