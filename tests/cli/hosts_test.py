"""The examples that embed the library, each in front of a real server and with real clients.

    hosts_test.py NAME [PROGRAM]     without a program: what it needs is not installed
"""
import http.client
import http.server
import json
import os
import queue
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import unittest

import support
from support import DEADLINE, Running, Upstream

NAME = sys.argv[1] if len(sys.argv) > 1 else "one_fd"
PROGRAM = sys.argv[2] if len(sys.argv) > 2 else None
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples",
                      NAME + (".cpp" if NAME.startswith("cpp_") else ".c"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def curl(*arguments, body=b""):
    done = subprocess.run(["curl", "-sS", "-m", str(DEADLINE), *arguments], input=body,
                          capture_output=True, timeout=2 * DEADLINE)
    return done.returncode, done.stdout


class Host(unittest.TestCase):
    """One that runs, with an upstream behind it."""

    def setUp(self):
        self.upstream = Upstream()
        self.addCleanup(self.upstream.server_close)
        self.addCleanup(self.upstream.shutdown)
        self.port, self.own = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, *arguments):
        self.host = Running([PROGRAM, f"127.0.0.1:{self.port}", *arguments])
        self.addCleanup(self.host.__exit__)
        self.host.stderr.until("listening on")

    def hold(self):
        """A request that the upstream holds: its connection."""
        held = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        held.request("GET", "/held")
        self.upstream.arrived.get(timeout=DEADLINE)
        return held

    def serves_all_kinds(self):
        body = b"0123456789abcdef" * 65536
        for protocol in ["--http1.1", "--http2-prior-knowledge"]:
            self.assertEqual(curl(protocol, self.url + "/a"), (0, b"upstream got /a\n"))
            self.assertEqual(curl(protocol, "--data-binary", "@-", self.url + "/b", body=body),
                             (0, body))

    def test_length(self):
        """It is an example because it is short."""
        with open(SOURCE, encoding="utf-8") as source:
            self.assertLess(len(source.readlines()), 200)


class Nested(Host):
    """In a foreign loop: one_fd, libuv, libevent."""

    def setUp(self):
        super().setUp()
        self.start(self.upstream.address, f"127.0.0.1:{self.own}")

    def told(self):
        """What the program's own port says."""
        with socket.create_connection(("127.0.0.1", self.own), DEADLINE) as own:
            return own.makefile().read()

    def test_both_do_their_work(self):
        self.assertEqual(self.told(), "0 requests\n")
        self.serves_all_kinds()
        self.assertEqual(self.told(), "4 requests\n")

    def test_many_at_once(self):
        done = subprocess.run(
            ["curl", "-sS", "-m", str(DEADLINE), "-Z", "--parallel-max", "20",
             f"{self.url}/[1-200]"], capture_output=True, timeout=2 * DEADLINE)
        self.assertEqual(done.stdout.count(b"upstream got /"), 200, done.stderr)
        self.assertEqual(self.told(), "200 requests\n")

    def test_time_alone_wakes_it(self):
        """A connection to an upstream that takes none is given up after two seconds; nothing but
        the time says so."""
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            fill = [socket.socket() for _ in range(4)]
            for one in fill:
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            other = Running([PROGRAM, f"127.0.0.1:{free_port()}",
                             "127.0.0.1:%d" % full.getsockname()[1], f"127.0.0.1:{free_port()}"])
            self.addCleanup(other.__exit__)
            at = other.stderr.until(r"listening on (\S+)").group(1)
            code, out = curl("-o", "/dev/null", "-w", "%{http_code}", f"http://{at}/")
            self.assertEqual((code, out), (0, b"504"))
            for one in fill:
                one.close()

    def test_drains(self):
        """What is under way is finished; then it ends by itself."""
        held = self.hold()
        self.host.signal(signal.SIGTERM)
        refused = 1
        while refused:  # until it listens no more
            self.assertIsNone(self.host.process.poll())
            with socket.socket() as probe:
                refused = probe.connect_ex(("127.0.0.1", self.port)) == 0
        self.upstream.release()
        self.assertEqual(held.getresponse().read(), b"upstream got /held\n")
        self.assertEqual(self.host.end(), 0)


class Threads(Host):
    def setUp(self):
        super().setUp()
        self.file = support.tempfile.NamedTemporaryFile("w", suffix=".txt")
        self.addCleanup(self.file.close)
        self.write(self.upstream.address)
        self.start(self.file.name, "3")

    def write(self, text):
        self.file.seek(0)
        self.file.truncate()
        self.file.write(text + "\n")
        self.file.flush()

    def test_serves(self):
        self.serves_all_kinds()

    def test_every_thread_serves(self):
        """Connections are shared out: with 60 of them each of three threads has some."""
        for number in range(60):
            self.assertEqual(curl(f"{self.url}/{number}"), (0, b"upstream got /%d\n" % number))
        ticks = []
        for task in os.listdir(f"/proc/{self.host.process.pid}/task"):
            with open(f"/proc/{self.host.process.pid}/task/{task}/status", encoding="ascii") as file:
                ticks += [int(line.split()[1]) for line in file
                          if line.startswith("voluntary_ctxt_switches")]
        self.assertGreaterEqual(len([n for n in ticks if n > 20]), 3, ticks)

    def test_reloads(self):
        held = self.hold()
        other = Upstream()
        other.RequestHandlerClass = Other
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        self.write(other.address)
        self.host.signal(signal.SIGHUP)
        self.host.stderr.until("^reloaded")
        for number in range(12):  # in every thread, from the next request on
            self.assertEqual(curl(f"{self.url}/{number}"), (0, b"the other one\n"))
        self.upstream.release()
        self.assertEqual(held.getresponse().read(), b"upstream got /held\n")
        self.write("no address")
        self.host.signal(signal.SIGHUP)
        self.host.stderr.until("not reloaded")
        self.assertEqual(curl(self.url), (0, b"the other one\n"))

    def test_drains(self):
        held = self.hold()
        self.host.signal(signal.SIGTERM)
        self.host.stderr.until("draining")
        self.upstream.release()
        self.assertEqual(held.getresponse().read(), b"upstream got /held\n")
        self.assertEqual(self.host.end(), 0)

    def test_the_second_signal_stops(self):
        self.hold()
        self.host.signal(signal.SIGTERM)
        self.host.stderr.until("draining")
        self.host.signal(signal.SIGTERM)
        self.assertEqual(self.host.end(), 0)


class Other(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "14")
        self.end_headers()
        self.wfile.write(b"the other one\n")

    def log_message(self, *_):
        pass


class Policy(socketserver.ThreadingTCPServer):
    """Allows who says "good", holds who says "slow" until release is set."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Judge)
        self.asked = queue.Queue()
        self.release = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


# Answers that are not "allow USER\n" to the last byte.
UNCLEAR = {"no": b"allowed: no\n", "half": b"allow ann", "two": b"allow ann or\n", "cr": b"allow a\rb\n",
           "long": b"allow " + b"a" * 64 + b"\n", "nobody": b"allow \n", "zero": b"allow a\0nn\n",
           "more": b"allow ann\ndeny\n"}


class Judge(socketserver.StreamRequestHandler):
    def handle(self):
        method, path, token = self.rfile.readline().decode().rstrip("\n").split(" ", 2)
        self.server.asked.put((method, path, token))
        if token == "slow":
            self.server.release.wait(DEADLINE)
        if token in ("good", "slow"):
            self.wfile.write(b"allow ann\n")
        elif token == "bad":
            self.wfile.write(b"deny\n")
        elif token in UNCLEAR:
            self.wfile.write(UNCLEAR[token])


class AuthFilter(Host):
    def setUp(self):
        super().setUp()
        self.policy = Policy()
        self.addCleanup(self.policy.server_close)
        self.addCleanup(self.policy.shutdown)
        self.upstream.RequestHandlerClass = WhoIsIt
        self.start(self.upstream.address, "127.0.0.1:%d" % self.policy.server_address[1])

    def ask(self, token, *more):
        return curl(*more, "-H", f"Authorization: Bearer {token}", self.url + "/a?b=c")

    def forbidden(self, code, out):
        self.assertEqual(code, 0)
        head, _, body = out.partition(b"\r\n\r\n")
        self.assertRegex(head, rb"^HTTP/[12.]+ 403")
        self.assertRegex(head.lower(), rb"content-type: application/json")
        self.assertEqual(body, b'{"error":"forbidden"}')
        self.assertEqual(json.loads(body), {"error": "forbidden"})

    def test_who_may(self):
        for protocol in ["--http1.1", "--http2-prior-knowledge"]:
            self.assertEqual(self.ask("good", protocol), (0, b"it is ann\n"))
            self.assertEqual(self.policy.asked.get(timeout=DEADLINE), ("GET", "/a", "good"))

    def test_who_may_not(self):
        for protocol in ["--http1.1", "--http2-prior-knowledge"]:
            self.forbidden(*self.ask("bad", protocol, "-i"))
            self.assertEqual(self.policy.asked.get(timeout=DEADLINE), ("GET", "/a", "bad"))

    def test_who_says_nothing_or_more_than_he_may(self):
        self.forbidden(*curl("-i", self.url))
        self.assertTrue(self.policy.asked.empty())
        self.assertEqual(self.ask("good", "-H", "x-user: root"), (0, b"it is ann\n"))

    def test_an_answer_that_is_not_clear(self):
        for token in UNCLEAR:
            self.forbidden(*self.ask(token, "-i"))

    def test_others_do_not_wait(self):
        """One request waits for its answer; others come through."""
        late = subprocess.Popen(["curl", "-sS", "-m", str(DEADLINE), "-H",
                                 "Authorization: Bearer slow", self.url], stdout=subprocess.PIPE)
        self.addCleanup(late.stdout.close)
        self.assertEqual(self.policy.asked.get(timeout=DEADLINE)[2], "slow")
        for _ in range(20):
            self.assertEqual(self.ask("good"), (0, b"it is ann\n"))
        self.policy.release.set()
        self.assertEqual(late.communicate(timeout=DEADLINE)[0], b"it is ann\n")

    def test_who_leaves_meanwhile(self):
        late = subprocess.Popen(["curl", "-sS", "-H", "Authorization: Bearer slow", self.url],
                                stderr=subprocess.DEVNULL)
        self.assertEqual(self.policy.asked.get(timeout=DEADLINE)[2], "slow")
        late.kill()
        late.wait()
        self.assertEqual(self.ask("good"), (0, b"it is ann\n"))
        self.policy.release.set()
        self.assertEqual(self.ask("good"), (0, b"it is ann\n"))
        self.host.signal(signal.SIGTERM)
        self.assertEqual(self.host.end(), 0)

    def test_no_policy_service(self):
        self.policy.shutdown()
        self.policy.server_close()
        self.forbidden(*self.ask("good", "-i"))


class WhoIsIt(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"it is " + ", ".join(self.headers.get_all("x-user", [])).encode() + b"\n"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class CppServer(Host):
    """A server whose path /api is the gateway's."""

    def setUp(self):
        super().setUp()
        self.start("/api", self.upstream.address)

    def test_a_keep_alive_client_mixes(self):
        """On one connection: curl makes no other."""
        paths = ["/api/1", "/a", "/b", "/api/2", "/api/3", "/c", "/api", "/apple"]
        code, out = curl("-w", "%{num_connects}\n", *[self.url + path for path in paths])
        self.assertEqual(code, 0)
        connects = [b"1\n"] + [b"0\n"] * (len(paths) - 1)
        self.assertEqual(out, b"".join(self.page(path) + n for path, n in zip(paths, connects)))

    def page(self, path, body=b""):
        ours = not path.startswith("/api/") and path != "/api"
        if ours:
            return b"%s %s %d\n" % (b"POST" if body else b"GET", path.encode(), len(body))
        return body or b"upstream got %s\n" % path.encode()

    def test_bodies_reach_whom_they_are_for(self):
        for size in [1, 5000, 300000]:
            body = os.urandom(size)
            for path in ["/api/form", "/form"]:
                for expects in [[], ["-H", "Expect:"], ["--expect100-timeout", "0.01"]]:
                    got = curl("--data-binary", "@-", *expects, self.url + path, body=body)
                    self.assertEqual(got, (0, self.page(path, body)))

    def test_who_pipelines(self):
        """Everything at once, in pieces that end anywhere."""
        asked = [("/api/1", b""), ("/x", b""), ("/y", b"GET /api HTTP"), ("/api/2", b"body"),
                 ("/z", b""), ("/api/3", b""), ("/last", b"")]
        text = b""
        for path, body in asked:
            method, length = "POST" if body else "GET", f"Content-Length: {len(body)}\r\n"
            text += f"{method} {path} HTTP/1.1\r\nHost: a\r\n{length if body else ''}".encode()
            text += b"Connection: close\r\n" if path == "/last" else b""
            text += b"\r\n" + body
        expected = [self.page(path, body) for path, body in asked]
        for piece in [1, 2, 3, 7, 30, 31, 50, 100, 200, len(text)]:
            with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for at in range(0, len(text), piece):
                    client.sendall(text[at:at + piece])
                self.assertEqual(list(self.bodies(client)), expected)

    def bodies(self, client):
        file = client.makefile("rb")
        while file.readline():
            length = 0
            while (field := file.readline()) != b"\r\n":
                name, _, value = field.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            yield file.read(length)

    def test_many_at_once(self):
        urls = [f"{self.url}/{kind}/{number}" for number in range(100) for kind in ["api", "own"]]
        done = subprocess.run(["curl", "-sS", "-m", str(DEADLINE), "-Z", "--parallel-max", "20",
                               *urls], capture_output=True, timeout=2 * DEADLINE)
        self.assertEqual(done.stdout.count(b"upstream got /api/"), 100, done.stderr)
        self.assertEqual(done.stdout.count(b"GET /own/"), 100, done.stderr)

    def test_http2_cannot_come_back(self):
        code, out = curl("--http2-prior-knowledge", "-w", "%{http_code}", "-o", "/dev/null",
                         self.url + "/a")
        self.assertEqual((code, out), (0, b"404"))

    def test_drains(self):
        """What is under way is finished, the gateway's and the server's; then it ends by itself."""
        held = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        held.request("GET", "/api/held")
        ours = socket.create_connection(("127.0.0.1", self.port), DEADLINE)
        ours.sendall(b"GET /slow HTT")
        self.assertEqual(held.getresponse().read(), b"upstream got /api/held\n")
        held.request("GET", "/api/again")
        self.assertEqual(held.getresponse().read(), b"upstream got /api/again\n")
        self.host.signal(signal.SIGTERM)
        refused = 1
        while refused:
            with socket.socket() as probe:
                refused = probe.connect_ex(("127.0.0.1", self.port)) == 0
        ours.sendall(b"P/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(list(self.bodies(ours)), [b"GET /slow 0\n"])
        ours.close()
        held.close()
        self.assertEqual(self.host.end(), 0)


class CallbackUpstream(Host):
    """It is its own upstream."""

    def setUp(self):
        super().setUp()
        self.folder = support.tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.start(os.path.join(self.folder.name, "store"))

    def memory(self):
        """Resident pages of the program, in KiB."""
        with open(f"/proc/{self.host.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def test_counts(self):
        for protocol in ["--http1.1", "--http2-prior-knowledge", "--http1.0"]:
            for n in [1, 100000]:
                self.assertEqual(curl(protocol, f"{self.url}/count/{n}"),
                                 (0, b"".join(b"%d\n" % i for i in range(1, n + 1))))

    def test_stores_and_lends(self):
        body = os.urandom(3000000)
        for protocol in ["--http1.1", "--http2-prior-knowledge"]:
            for size in [len(body), 1, 0]:
                got = curl(protocol, "-T", "-", "-w", "%{http_code}", self.url + "/store",
                           body=body[:size])
                self.assertEqual(got, (0, b"%d bytes\n201" % size))
                self.assertEqual(curl(protocol, self.url + "/store"), (0, body[:size]))

    def test_who_does_not_read_costs_little(self):
        """Lines without end for clients that read only the first ones."""
        readers = []
        for _ in range(8):
            reader = socket.create_connection(("127.0.0.1", self.port), DEADLINE)
            self.addCleanup(reader.close)
            reader.sendall(b"GET /count/999999999 HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(reader.recv(1))
            readers.append(reader)
        before = self.memory()
        self.assertEqual(curl(self.url + "/count/2"), (0, b"1\n2\n"))
        self.assertLess(self.memory(), before + 16384)
        self.assertLess(before, 100000)

    def test_who_leaves_in_the_midst(self):
        """Uploads that break off while their pieces are at the disk: others do not notice."""
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as client:
                client.sendall(b"PUT /store HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n")
                client.sendall(b"x" * 100000)
        self.assertEqual(curl("-T", "-", self.url + "/store", body=b"last"), (0, b"4 bytes\n"))
        self.assertEqual(curl(self.url + "/store"), (0, b"last"))
        self.assertIsNone(self.host.process.poll())
        while os.listdir(self.folder.name) != ["store"]:  # nothing is left of them
            self.assertEqual(curl(self.url + "/store"), (0, b"last"))

    def test_what_is_lent_does_not_change(self):
        """A download that is on its way goes on while there is a new file."""
        old = os.urandom(30000000)
        self.assertEqual(curl("-T", "-", self.url + "/", body=old)[0], 0)
        reader = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        reader.request("GET", "/")
        answer = reader.getresponse()
        first = answer.read(1)
        self.assertEqual(curl("-T", "-", self.url + "/", body=b"new"), (0, b"3 bytes\n"))
        self.assertEqual(curl(self.url), (0, b"new"))
        self.assertEqual(first + answer.read(), old)
        reader.close()

    def test_ends(self):
        self.host.signal(signal.SIGTERM)
        self.assertEqual(self.host.end(), 0)


def main():
    if PROGRAM is None:
        print(f"{os.path.basename(SOURCE)} was not built: what it needs is not installed")
        sys.exit(1 if os.environ.get("CI") else 77)
    tests = {"threads": Threads, "auth_filter": AuthFilter,
             "cpp_server": CppServer, "callback_upstream": CallbackUpstream}.get(NAME, Nested)
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(tests)
    sys.exit(0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1)


if __name__ == "__main__":
    main()
