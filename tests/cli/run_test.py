"""gw run: signals, the end, and the access log."""
import http.client
import json
import os
import signal
import socket
import struct
import threading
import unittest

import support
from support import DEADLINE, GW, Running, Upstream, deaf_port

GATEWAY = """\
workers: {workers}
listeners:
  - {{ name: edge, address: "127.0.0.1:0" }}
clusters:
  - {{ name: web, endpoints: [ {{ name: one, address: "{upstream}" }} ] }}
  - {{ name: nobody, endpoints: [ {{ name: deaf, address: "{deaf}" }} ] }}
routes:
  - {{ name: web, match: {{ prefix: / }}, cluster: web }}
  - {{ name: nobody, match: {{ prefix: /nobody }}, cluster: nobody }}
  - {{ name: reply, match: {{ exact: /teapot }}, respond: {{ status: 418, body: "short\\n" }} }}
access_log: {{ path: "{log}" }}
"""


@unittest.skipUnless("yaml" in support.gw("version")[1], "this build has no libyaml")
class Gateway(support.Folder):
    """A gateway in front of one upstream, with a log."""

    workers = 1
    backend = "epoll"

    def setUp(self):
        super().setUp()
        self.upstream = Upstream()
        self.addCleanup(self.upstream.server_close)
        self.addCleanup(self.upstream.shutdown)
        self.addCleanup(self.upstream.release)
        held, deaf = deaf_port()
        self.addCleanup(held.close)
        text = GATEWAY.format(workers=self.workers, upstream=self.upstream.address, deaf=deaf,
                              log=self.path("log"))
        self.gateway = Running([GW, "run", self.write("gateway.yaml", text),
                                "--backend", self.backend])
        self.addCleanup(self.gateway.__exit__)
        found = self.gateway.stderr.until(r"listener edge is on 127\.0\.0\.1:(\d+)")
        self.port = int(found.group(1))
        self.gateway.stderr.until(rf"running: {self.workers} workers?, {self.backend}")

    def ask(self, path, method="GET", body=None, headers={}):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, text

    def end(self):
        self.gateway.signal(signal.SIGTERM)
        self.assertEqual(self.gateway.end(), 0)

    def logged(self):
        """The log's lines by path, after the end."""
        self.end()
        return {line["path"]: line for line in self.log_lines("log")}


class Logs(Gateway):
    def test_each_request_and_its_cause(self):
        self.assertEqual(self.ask("/fine?q=1"), (200, b"upstream got /fine?q=1\n"))
        self.assertEqual(self.ask("/echo", "POST", b"x" * 70000), (200, b"x" * 70000))
        self.assertEqual(self.ask("/teapot"), (418, b"short\n"))
        self.assertEqual(self.ask("/nobody")[0], 503)
        lines = self.logged()
        fine = lines["/fine"]
        self.assertRegex(fine["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertEqual((fine["client"], fine["retries"]), ("127.0.0.1", 0))
        self.assertRegex(fine["peer"], r"^127\.0\.0\.1:\d+$")
        self.assertEqual(fine["authority"], f"127.0.0.1:{self.port}")
        self.assertEqual(
            {name: fine[name] for name in ("listener", "protocol", "method", "status", "route",
                                           "cluster", "endpoint", "grpc_status", "cause")},
            {"listener": "edge", "protocol": "h1", "method": "GET", "status": 200, "route": "web",
             "cluster": "web", "endpoint": "one", "grpc_status": None, "cause": "none"})
        self.assertEqual((fine["bytes_in"], fine["bytes_out"]), (0, len("upstream got /fine?q=1\n")))
        self.assertEqual((lines["/echo"]["bytes_in"], lines["/echo"]["bytes_out"]), (70000, 70000))
        self.assertEqual((lines["/teapot"]["status"], lines["/teapot"]["endpoint"]), (418, None))
        self.assertEqual((lines["/nobody"]["status"], lines["/nobody"]["cause"]),
                         (503, "upstream/connect/upstream_connect_refused"))
        self.assertEqual(len({line["id"] for line in lines.values()}), 4)

    def test_bytes_that_json_must_escape(self):
        self.ask('/a%22b%5c%0a%e2%82%ac', headers={"Host": "a.example"})
        self.ask("/" + "y" * 9000)
        self.end()
        lines = self.log_lines("log")
        self.assertEqual(lines[0]["authority"], "a.example")
        self.assertIn("b", lines[0]["path"])
        self.assertTrue(lines[1]["path"].endswith("yyy..."))
        self.assertLess(len(lines[1]["path"]), 4000)

    def test_a_request_that_is_not_http(self):
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nbroken line\r\n\r\n")
            answer = client.recv(100)
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        self.end()
        line, = self.log_lines("log")
        self.assertEqual((line["status"], line["method"], line["path"]), (400, None, None))
        self.assertTrue(line["cause"].startswith("client/receive/"), line)

    def test_a_client_that_goes_away(self):
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as client:
            client.sendall(b"GET /held HTTP/1.1\r\nhost: a\r\n\r\n")
            self.upstream.arrived.get(timeout=DEADLINE)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line = self.logged()["/held"]
        self.assertEqual(line["cause"].split("/")[0], "client")
        self.assertIsNone(line["status"])


class Signals(Gateway):
    def hold(self):
        """A request in flight; the answer appears in the list when it is there."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.ask("/held")))
        thread.start()
        self.upstream.arrived.get(timeout=DEADLINE)
        return thread, answers

    def test_the_end_waits_for_what_is_in_flight(self):
        thread, answers = self.hold()
        self.gateway.signal(signal.SIGTERM)
        self.gateway.stderr.until("finishing what is in flight, for at most 30000 ms")
        self.assertEqual(answers, [])
        self.upstream.release()
        thread.join(DEADLINE)
        self.assertEqual(answers, [(200, b"upstream got /held\n")])
        self.assertEqual(self.gateway.end(), 0)
        self.assertEqual([line["cause"] for line in self.log_lines("log")], ["none"])

    def test_a_second_signal_ends_at_once(self):
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as client:
            client.sendall(b"GET /held HTTP/1.1\r\nhost: a\r\n\r\n")
            self.upstream.arrived.get(timeout=DEADLINE)
            self.gateway.signal(signal.SIGINT)
            self.gateway.stderr.until("finishing what is in flight")
            self.gateway.signal(signal.SIGINT)
            self.gateway.stderr.until("ending now")
            self.assertEqual(self.gateway.end(), 0)
        line, = self.log_lines("log")
        self.assertEqual(line["path"], "/held")
        self.assertNotEqual(line["cause"], "none")

    def test_the_last_requests_are_told(self):
        for path in ["/told", "/asked"]:  # one is told when it has ended, which its answer may precede
            self.assertEqual(self.ask(path)[0], 200)
        self.gateway.signal(signal.SIGUSR2)
        told = json.loads(self.gateway.stderr.until(r'^{"worker":.*')[0])
        self.assertEqual((told["code"], told["reason"], told["cluster"]), (200, "none", "web"))
        self.end()

    def test_the_log_is_opened_anew(self):
        self.assertEqual(self.ask("/before")[0], 200)
        os.rename(self.path("log"), self.path("log.1"))
        self.gateway.signal(signal.SIGUSR1)
        asked = 0
        while not os.path.exists(self.path("log")):  # the signal is on its way
            self.assertEqual(self.ask("/between")[0], 200)
            asked += 1
        self.assertEqual(self.ask("/after")[0], 200)
        self.end()
        # A line is written after its answer has left, so each may be in either file: but in one.
        lines = self.log_lines("log.1") + self.log_lines("log")
        self.assertEqual(sorted(line["path"] for line in lines),
                         ["/after", "/before"] + ["/between"] * asked)
        self.assertIn("/after", [line["path"] for line in self.log_lines("log")])

    def test_states_are_printed(self):
        thread, _ = self.hold()
        self.gateway.signal(signal.SIGUSR2)
        cluster, endpoint = [
            json.loads(self.gateway.stderr.until(f'"kind":"{kind}","cluster":"web"').string)
            for kind in ("cluster", "endpoint")]
        self.assertEqual(cluster, {"kind": "cluster", "cluster": "web", "inflight": 1,
                                   "connections": 1})
        self.assertEqual((endpoint["name"], endpoint["state"], endpoint["inflight"],
                          endpoint["connections"]), ("one", "closed", 1, 1))
        self.upstream.release()
        thread.join(DEADLINE)
        self.end()

    def test_no_reload_while_ending(self):
        thread, answers = self.hold()
        self.gateway.signal(signal.SIGTERM)
        self.gateway.stderr.until("finishing what is in flight")
        self.gateway.signal(signal.SIGHUP)
        self.gateway.stderr.until("SIGHUP: ending")
        self.upstream.release()
        thread.join(DEADLINE)
        self.assertEqual([status for status, _ in answers], [200])
        self.assertEqual(self.gateway.end(), 0)


class SignalsByPoll(Signals):
    backend = "poll"


NOWHERE = """
listeners: [ { name: edge, address: "203.0.113.1:80" } ]
routes: [ { name: all, match: { prefix: / }, respond: { status: 200 } } ]
"""


class SignalsByUring(Signals):
    backend = "io_uring"

    def setUp(self):
        support.Folder.setUp(self)
        _, _, err = support.gw("run", self.write("nowhere", NOWHERE), "--backend", "io_uring")
        if "does not give that backend" in err:
            self.skipTest("this kernel or this build gives no io_uring")
        super().setUp()

    def test_auto_takes_it(self):
        text = NOWHERE.replace("203.0.113.1:80", "127.0.0.1:0")
        with Running([GW, "run", self.write("auto.yaml", text), "--backend", "auto"]) as gateway:
            gateway.stderr.until("running: .*, io_uring")
            gateway.signal(signal.SIGTERM)
            self.assertEqual(gateway.end(), 0)


class SignalsOfFour(Signals):
    workers = 4


@unittest.skipUnless("yaml" in support.gw("version")[1], "this build has no libyaml")
class Start(support.Folder):
    def test_an_address_that_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            text = GATEWAY.format(workers=1, upstream="127.0.0.1:9", deaf="127.0.0.1:9",
                                  log=self.path("log")).replace("127.0.0.1:0", f"127.0.0.1:{port}")
            code, out, err = support.gw("run", self.write("gateway.yaml", text))
        self.assertEqual((code, out), (1, ""))
        self.assertIn(f"cannot listen on 127.0.0.1:{port}", err)
        self.assertIn("it is taken, or not permitted", err)

    def test_a_unix_socket_that_workers_share(self):
        path = self.path("gw.sock")
        text = ("workers: 3\nlisteners: [ { name: edge, address: 'unix:%s' } ]\nroutes:\n"
                "- { name: all, match: { prefix: / }, respond: { status: 200 } }\n" % path)
        arguments = [GW, "run", self.write("gateway.yaml", text)]
        for _ in range(2):  # the second finds the socket of one that was killed
            with Running(arguments) as gateway:
                gateway.stderr.until("running: 3 workers")
                for _ in range(20):
                    with socket.socket(socket.AF_UNIX) as client:
                        client.settimeout(DEADLINE)
                        client.connect(path)
                        client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                        self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 200 "))

    def test_more_connections_than_a_shell_gives_descriptors(self):
        arguments = self.log_to_stdout()
        with Running(["sh", "-c", 'ulimit -Sn 64; exec "$@"', "sh", *arguments]) as gateway:
            port = int(gateway.stderr.until(r"on 127\.0\.0\.1:(\d+)").group(1))
            clients = [socket.create_connection(("127.0.0.1", port), DEADLINE) for _ in range(200)]
            for client in clients:
                client.sendall(b"GET /teapot HTTP/1.1\r\nhost: a\r\n\r\n")
            for client in clients:
                self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 418 "))
                client.close()

    def log_to_stdout(self):
        text = GATEWAY.format(workers=1, upstream="127.0.0.1:9", deaf="127.0.0.1:9", log="-")
        return [GW, "run", self.write("gateway.yaml", text)]

    def connect(self, gateway):
        port = gateway.stderr.until(r"on 127\.0\.0\.1:(\d+)").group(1)
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=DEADLINE)
        self.addCleanup(connection.close)
        return connection

    def test_a_log_to_standard_output(self):
        with Running(self.log_to_stdout()) as gateway:
            connection = self.connect(gateway)
            connection.request("GET", "/teapot")
            self.assertEqual(connection.getresponse().read(), b"short\n")
            line = json.loads(gateway.stdout.until("/teapot").string)
            self.assertEqual(line["status"], 418)

    def test_a_log_that_nobody_reads(self):
        """Every request is answered; every line is there or counted."""
        asked = 1500
        reader, writer = os.pipe()
        with open(reader, encoding="utf-8") as log:
            with Running(self.log_to_stdout(), stdout=writer) as gateway:
                os.close(writer)
                connection = self.connect(gateway)
                for _ in range(asked):
                    connection.request("GET", "/teapot")
                    self.assertEqual(connection.getresponse().read(), b"short\n")
                lines = [json.loads(log.readline())]
                while "lines_dropped" not in lines[-1]:
                    lines.append(json.loads(log.readline()))
                gateway.signal(signal.SIGTERM)
                self.assertEqual(gateway.end(), 0)
        self.assertEqual(len(lines) - 1 + lines[-1]["lines_dropped"], asked)
        self.assertGreater(lines[-1]["lines_dropped"], 0)


if __name__ == "__main__":
    support.main()
