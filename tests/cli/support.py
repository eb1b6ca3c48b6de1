"""What the tests of the gw program share: running it, upstreams, and waiting for what happens.

Nothing here waits for time to pass: each wait is for a line, a byte, or the end of a process, and
fails after DEADLINE seconds.
"""
import http.server
import json
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

DEADLINE = 30
GW = os.environ.get("GW", "build/examples/gw/gw")
MINIMAL_HOST = os.environ.get("MINIMAL_HOST", "build/examples/minimal_host")
MINIMAL_HOST_SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                                   "examples", "minimal_host.c")


def gw(*arguments):
    """Runs gw to its end: (exit code, stdout, stderr)."""
    done = subprocess.run([GW, *arguments], capture_output=True, text=True, timeout=DEADLINE)
    return done.returncode, done.stdout, done.stderr


class Lines:
    """The lines of a stream, as they come."""

    def __init__(self, stream):
        self.lines = queue.Queue()
        self.seen = []
        self.reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.reader.start()

    def _read(self, stream):
        with stream:
            for line in stream:
                self.lines.put(line)
        self.lines.put(None)

    def until(self, pattern):
        """The match in the first line from here on that has one."""
        while True:
            line = self.lines.get(timeout=DEADLINE)
            if line is None:
                raise AssertionError(f"ended before {pattern!r}: {''.join(self.seen)}")
            self.seen.append(line)
            found = re.search(pattern, line)
            if found:
                return found


class Running:
    """A program that runs until it is told to end."""

    def __init__(self, arguments, stdout=subprocess.PIPE):
        self.process = subprocess.Popen(
            arguments, stdout=stdout, stderr=subprocess.PIPE, text=True)
        self.streams = [Lines(stream) for stream in (self.process.stderr, self.process.stdout)
                        if stream]
        self.stderr, self.stdout = self.streams[0], self.streams[-1]

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        return self.process.wait(timeout=DEADLINE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in self.streams:
            stream.reader.join(DEADLINE)


class Upstream(http.server.ThreadingHTTPServer):
    """GET /held answers when release is called; anything else at once."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.arrived = queue.Queue()
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self):
        return "127.0.0.1:%d" % self.server_address[1]

    def handle_error(self, request, client_address):
        """A gateway that went away is not this server's trouble."""

    def release(self):
        self.released.set()


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/held":
            self.server.arrived.put(self.path)
            self.server.released.wait(DEADLINE)
        body = b"upstream got " + self.path.encode() + b"\n"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def deaf_port():
    """(socket, address): bound but not listening, so that connections are refused."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held, "127.0.0.1:%d" % held.getsockname()[1]


class Folder(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gw-cli-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def log_lines(self, name):
        """Every line of a log, each of which must be JSON."""
        with open(self.path(name), encoding="utf-8") as file:
            return [json.loads(line) for line in file]


def main():
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]], verbosity=2)
