#!/usr/bin/env python3
"""Compiles the example of README.md as a reader would, runs it before a small upstream, and sends a
request through.

    readme.py README.md INCLUDE CC LINK_ARGUMENTS...
"""

import http.client
import http.server
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.path.encode() + b" " + body
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    readme, include, cc, *link = sys.argv[1:]
    with open(readme, encoding="utf-8") as file:
        blocks = re.findall(r"^```c\n(.*?)^```$", file.read(), flags=re.S | re.M)
    assert len(blocks) == 1, "README.md has one example in C"
    lines = blocks[0].count("\n")
    assert lines <= 50, f"the example has {lines} lines: it is no longer short"
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, "host.c"), os.path.join(folder, "host")
        with open(source, "w", encoding="utf-8") as file:
            file.write(blocks[0])
        subprocess.run([*cc.split(), "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion",
                        "-Werror", f"-I{include}", source, "-o", program, *link], check=True)
        upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        gateway = f"127.0.0.1:{free_port()}"
        host = subprocess.Popen([program, gateway, f"127.0.0.1:{upstream.server_port}"],
                                stderr=subprocess.PIPE, text=True)
        try:
            said = host.stderr.readline()
            assert said.startswith("listening"), f"the example said: {said!r}"
            client = http.client.HTTPConnection(gateway, timeout=20)
            for turn in range(3):
                client.request("POST", f"/turn/{turn}", body=b"x" * 1000)
                response = client.getresponse()
                body = response.read()
                assert response.status == 200, response.status
                assert body == f"/turn/{turn} ".encode() + b"x" * 1000, body
            assert host.poll() is None
        finally:
            host.terminate()
            host.wait()
            upstream.shutdown()
    print("the example of README.md compiles and proxies")


if __name__ == "__main__":
    main()
