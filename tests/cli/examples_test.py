"""The demo as its user meets it, and the minimal host in front of a real server."""
import http.client
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import unittest

import support
from support import DEADLINE, GW, MINIMAL_HOST, Running, Upstream, gw


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "-m", str(DEADLINE), *arguments], capture_output=True,
                          timeout=2 * DEADLINE)
    return done.returncode, done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Demo(unittest.TestCase):
    def test_check_as_json(self):
        code, out, err = gw("demo", "--check", "--json")
        rows = [json.loads(line) for line in out.splitlines()]
        self.assertGreater(len(rows), 7)
        self.assertEqual([row for row in rows if not row["ok"]], [])
        self.assertEqual(code, 0, err)

    def test_a_port_that_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            code, out, err = gw("demo", "--port", str(port))
        self.assertEqual((code, out), (1, ""))
        self.assertIn(f"port {port} is taken by another program", err)
        self.assertRegex(err, r"gw demo --port \d+")

    def test_every_command_it_prints(self):
        with Running([GW, "demo", "--port", "0"]) as demo:
            demo.stderr.until("Ctrl-C ends the demo")
            text = "".join(demo.stderr.seen)
            commands = re.findall(r"^ *((?:curl|printf|python3).*(?:(?<=\\)\n.*)*"
                                  r"(?:\n(?:import|channel|many|for|    print).*)*)", text,
                                  re.MULTILINE)
            self.assertEqual(len(commands), 6, commands)
            outputs = [self.shell(command) for command in commands]
            demo.signal(signal.SIGINT)
            self.assertEqual(demo.end(), 0)
        self.assertRegex(outputs[0], r"HTTP/1.1 200 (?s:.)*echo-\d got GET /echo/hello")
        self.assertTrue(outputs[1].endswith("some words"), outputs[1])
        self.assertRegex(outputs[2], r"HTTP/1.1 503 ")
        self.assertRegex(outputs[3], r"HTTP/2 200 (?s:.)*echo-\d got GET /echo/over-http2")
        self.assertRegex(outputs[4], r"(?s)HTTP/2 200 .*grpc-status: 0.*Hello you")
        self.assertEqual(outputs[5].count("Hello you"), 10)

    def shell(self, command):
        """With the system's python3 first: that is the one that apt gives grpcio to."""
        path = "/usr/bin:" + os.environ["PATH"]
        done = subprocess.run(["sh", "-c", command], env={**os.environ, "PATH": path},
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 0, command + done.stdout)
        return done.stdout


class MinimalHost(unittest.TestCase):
    def setUp(self):
        self.upstream = Upstream()
        self.addCleanup(self.upstream.server_close)
        self.addCleanup(self.upstream.shutdown)
        self.port = free_port()
        self.host = Running([MINIMAL_HOST, f"127.0.0.1:{self.port}", self.upstream.address])
        self.addCleanup(self.host.__exit__)
        self.url = f"http://127.0.0.1:{self.port}"
        connected = False
        while not connected:  # until it listens
            self.assertIsNone(self.host.process.poll())
            with socket.socket() as probe:
                connected = probe.connect_ex(("127.0.0.1", self.port)) == 0

    def test_h1(self):
        self.assertEqual(curl(self.url + "/a"), (0, b"upstream got /a\n"))

    def test_h2(self):
        self.assertEqual(curl("--http2-prior-knowledge", self.url + "/b"),
                         (0, b"upstream got /b\n"))

    def test_a_large_body_each_way(self):
        body = b"0123456789abcdef" * 65536
        for protocol in ["--http1.1", "--http2-prior-knowledge"]:
            done = subprocess.run(["curl", "-sS", protocol, "--data-binary", "@-", self.url + "/c"],
                                  input=body, capture_output=True, timeout=DEADLINE)
            self.assertEqual(done.stdout, body, done.stderr)

    def test_many_requests_on_one_connection(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        for number in range(50):
            connection.request("GET", f"/{number}")
            self.assertEqual(connection.getresponse().read(), b"upstream got /%d\n" % number)
        connection.close()

    def test_an_upstream_that_is_gone(self):
        self.upstream.shutdown()
        self.upstream.server_close()
        code, out = curl("-o", "/dev/null", "-w", "%{http_code}", self.url + "/")
        self.assertEqual((code, out), (0, b"503"))

    def test_length(self):
        """It is an example because it is short."""
        with open(support.MINIMAL_HOST_SOURCE, encoding="utf-8") as source:
            self.assertLess(len(source.readlines()), 200)

    def test_upstreams_are_told_who_asks(self):
        self.upstream.RequestHandlerClass = WhoAsks
        self.assertEqual(curl(self.url), (0, b"127.0.0.1"))

    def test_drains(self):
        held = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        held.request("GET", "/held")
        self.upstream.arrived.get(timeout=DEADLINE)
        self.host.signal(signal.SIGTERM)
        refused = False
        while not refused:
            with socket.socket() as probe:
                refused = probe.connect_ex(("127.0.0.1", self.port)) != 0
        self.upstream.release()
        self.assertEqual(held.getresponse().read(), b"upstream got /held\n")
        held.close()
        self.assertEqual(self.host.end(), 0)


class WhoAsks(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.headers["x-forwarded-for"].encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    support.main()
