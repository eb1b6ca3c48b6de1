"""gw run: SIGHUP. What the file says holds as a whole, or nothing of it does."""
import http.client
import os
import signal
import socket
import threading
import unittest

import support
from support import DEADLINE, GW, Running, Upstream

EDGE = '  - { name: edge, address: "127.0.0.1:0" }\n'
TEXT = """\
workers: {workers}
{top}listeners:
{listeners}clusters:
  - {{ name: web, endpoints: [ {{ name: one, address: "{upstream}" }} ] }}
routes:
  - {{ name: web, match: {{ prefix: / }}, cluster: web }}
{routes}"""


def reply(path, body):
    return '  - { name: r%s, match: { exact: /%s }, respond: { status: 200, body: "%s" } }\n' % (
        path, path, body)


@unittest.skipUnless("yaml" in support.gw("version")[1], "this build has no libyaml")
class Reload(support.Folder):
    workers = 1

    def setUp(self):
        super().setUp()
        self.upstream = Upstream()
        self.addCleanup(self.upstream.server_close)
        self.addCleanup(self.upstream.shutdown)
        self.addCleanup(self.upstream.release)
        self.file = self.say()
        self.gateway = Running([GW, "run", self.file])
        self.addCleanup(self.gateway.__exit__)
        self.port = self.listens_on("edge")
        self.gateway.stderr.until("running: ")

    def say(self, top="", listeners=EDGE, routes="", workers=None):
        """The file says so from now on."""
        return self.write("gateway.yaml", TEXT.format(
            workers=workers or self.workers, top=top, listeners=listeners, routes=routes,
            upstream=self.upstream.address))

    def listens_on(self, name):
        return int(self.gateway.stderr.until(r"listener %s is on 127\.0\.0\.1:(\d+)" % name)
                   .group(1))

    def reload(self, expected):
        """What was said before the verdict."""
        self.gateway.signal(signal.SIGHUP)
        before = len(self.gateway.stderr.seen)
        found = self.gateway.stderr.until(r"gw: configuration \d+ (runs|stays)")
        self.assertEqual(found.group(1), expected, self.gateway.stderr.seen)
        return "".join(self.gateway.stderr.seen[before:-1])

    def ask(self, path, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=DEADLINE)
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, text

    def test_a_route_comes_and_changes_and_goes(self):
        answers = []
        for body in ("a", "b", None):
            self.say(routes=reply("x", body) if body else "")
            self.assertEqual(self.reload("runs"), "")
            answers.append(self.ask("/x")[1])
        self.assertEqual(answers, [b"a", b"b", b"upstream got /x\n"])
        self.gateway.signal(signal.SIGTERM)
        self.assertEqual(self.gateway.end(), 0)

    def test_what_is_wrong_changes_nothing(self):
        self.say(routes=reply("x", "a"))
        self.reload("runs")
        bad = "  - { name: bad, match: { prefix: /y }, cluster: wev }"
        self.say(routes=bad + "\n")
        self.assertEqual(
            self.reload("stays"),
            '%s:8:%d: routes[1].cluster: no cluster "wev"; did you mean "web"?\n'
            % (self.file, bad.index("wev") + 1))
        self.assertEqual(self.ask("/x"), (200, b"a"))
        os.unlink(self.file)
        self.assertIn("cannot read " + self.file, self.reload("stays"))
        self.assertEqual(self.ask("/x"), (200, b"a"))

    def test_what_is_fixed_at_start(self):
        self.say(workers=self.workers + 1, routes=reply("x", "a"),
                 top="backend: poll\nlimits: { connections: 77, fields: 33 }\n"
                     'access_log: { path: "%s" }\n' % self.path("log"))
        said = self.reload("stays")
        for key in ("workers", "backend", "limits.connections", "limits.fields", "access_log"):
            self.assertIn("%s: %s: fixed when gw starts" % (self.file, key), said)
        self.assertNotIn("limits.head", said)
        self.assertEqual(self.ask("/x")[1], b"upstream got /x\n")

    def test_the_drain_time_is_the_newest(self):
        self.say(top="drain: 7s\n")
        self.reload("runs")
        self.gateway.signal(signal.SIGTERM)
        self.gateway.stderr.until("for at most 7000 ms")
        self.assertEqual(self.gateway.end(), 0)

    def test_listeners_come_and_go(self):
        self.say(listeners=EDGE + '  - { name: two, address: "127.0.0.1:0" }\n',
                 routes='  - { name: on-two, match: { prefix: /, listener: two }, '
                        'respond: { status: 202 } }\n')
        self.gateway.signal(signal.SIGHUP)
        two = self.listens_on("two")
        self.gateway.stderr.until("configuration 2 runs")
        self.assertEqual(self.ask("/", two)[0], 202)
        self.assertEqual(self.ask("/")[0], 200)  # the same socket as ever
        self.say()
        self.assertIn("listener two on 127.0.0.1:0 takes nobody", self.reload("runs"))
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", two), DEADLINE)
        self.assertEqual(self.ask("/")[0], 200)

    def test_an_address_that_cannot_be_had(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            free = socket.socket()
            free.bind(("127.0.0.1", 0))
            other = free.getsockname()[1]
            free.close()
            self.say(listeners='  - { name: fine, address: "127.0.0.1:%d" }\n'
                               '  - { name: two, address: "127.0.0.1:%d" }\n' % (other, port),
                     routes=reply("x", "a"))
            self.assertIn("cannot listen on 127.0.0.1:%d" % port, self.reload("stays"))
        self.assertEqual(self.ask("/x")[1], b"upstream got /x\n")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", other), DEADLINE)

    def test_another_name_for_the_same_address(self):
        self.say(listeners=EDGE.replace("edge", "gate"),
                 routes='  - { name: on-gate, match: { prefix: /, listener: gate }, '
                        'respond: { status: 202 } }\n')
        self.gateway.signal(signal.SIGHUP)
        self.assertEqual(self.listens_on("gate"), self.port)
        self.gateway.stderr.until("configuration 2 runs")
        self.assertEqual(self.ask("/")[0], 202)

    def test_a_request_in_flight_ends_as_it_began(self):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.ask("/held")))
        thread.start()
        self.upstream.arrived.get(timeout=DEADLINE)
        self.say(listeners='  - { name: two, address: "127.0.0.1:0" }\n', routes=reply("held", "x"))
        self.reload("runs")
        self.assertEqual(answers, [])
        self.upstream.release()
        thread.join(DEADLINE)
        self.assertEqual(answers, [(200, b"upstream got /held\n")])

    def test_a_connection_whose_listener_goes(self):
        """Its next request is its last; without one it ends soon."""
        clients = [http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
                   for _ in range(2)]
        for client in clients:
            self.addCleanup(client.close)
            client.request("GET", "/a")
            self.assertEqual(client.getresponse().read(), b"upstream got /a\n")
        self.say(listeners='  - { name: two, address: "127.0.0.1:0" }\n')
        self.reload("runs")
        try:
            clients[0].request("GET", "/b")
            answer = clients[0].getresponse()
            self.assertEqual((answer.read(), answer.getheader("connection")),
                             (b"upstream got /b\n", "close"))
        except (http.client.RemoteDisconnected, ConnectionError):
            pass  # this machine was slower than the moment that it gets
        self.assertEqual(clients[1].sock.recv(1), b"")


class ReloadOfThree(Reload):
    workers = 3


if __name__ == "__main__":
    support.main()
