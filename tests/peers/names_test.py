"""Clusters whose endpoints come from DNS: a name server of the test's own, upstreams that say who they are,
and `gw run` in between. TTLs are 0, so that gw asks as often as dns.ttl.min allows."""

import json
import os
import signal

import harness
import http1
import nameserver
from harness import HOST, free_port, until

NAME = "api.example.test"
FIRST, SECOND, THIRD = (int(part) for part in HOST.split(".")[1:])
HOSTS = [HOST] + ["127.%d.%d.%d" % (FIRST + more, SECOND, THIRD) for more in (64, 128)]


def sleeps(pid):
    """It waits for something, and has taken every signal."""
    with open("/proc/%d/status" % pid) as f:
        said = dict(line.split(":", 1) for line in f)
    return said["State"].split()[0] == "S" and not any(
        int(said[pending], 16) for pending in ("SigPnd", "ShdPnd"))


class Names(harness.PeerCase):
    def setUp(self):
        super().setUp()
        self.dns = nameserver.NameServer()
        self.addCleanup(self.dns.close)
        self.port = None
        self.servers = []

    def upstream(self, host):
        """One that says its address; all are on the same port."""
        who = host.encode()

        def serve(stream):
            while not stream.at_end():
                stream.request()
                stream.send(http1.ok(who))

        while True:
            port = self.port or free_port()
            try:
                server = http1.Server(serve, host, port)
                break
            except OSError:
                if self.port:
                    raise
        self.port = port
        self.servers.append(server)
        self.addCleanup(server.close)
        return server

    def spec(self, **more):
        dns = {"name": NAME, "port": self.port, "type": "a", "servers": [self.dns.address],
               "ttl": {"min": "20ms"}, "retry": {"base": "20ms", "max": "50ms"}, "empty": "100ms"}
        dns.update(more)
        return {name: value for name, value in dns.items() if value is not None}

    def gateway(self, **more):
        self.gw = self.start_gw([{"name": "api", "dns": self.spec(**more)}])
        return self.gw

    def ask(self):
        """Who answers: the body, or the status."""
        with http1.Client(self.gw.port) as c:
            c.send(http1.text("GET / HTTP/1.1", "Host: a.example", "Connection: close"))
            answer = c.response()
            return answer.body.decode() if answer.status == 200 else answer.status

    def asks(self, n):
        return [self.ask() for _ in range(n)]

    def until_answered(self, *who):
        """Until requests are answered by these, each in its turn, and by nobody else."""
        until("answers of %s" % (who,), lambda: set(self.asks(2 * len(who))) == set(who))

    # ----

    def test_records_change(self):
        for host in HOSTS[:2]:
            self.upstream(host)
        self.dns.set(NAME, "A", HOSTS[0])
        self.gateway()
        self.assertEqual(set(self.asks(3)), {HOSTS[0]})  # the first answer is there before the listener
        self.dns.set(NAME, "A", HOSTS[1], HOSTS[0])
        self.until_answered(HOSTS[0], HOSTS[1])
        self.dns.set(NAME, "A", HOSTS[1])
        self.until_answered(HOSTS[1])
        log = self.gw.log()
        self.assertIn("dns.changed: api: 1 endpoint by api.example.test: 1 new, 0 gone", log)
        self.assertIn("dns.changed: api: 2 endpoints by api.example.test: 1 new, 0 gone", log)
        self.assertIn("dns.changed: api: 1 endpoint by api.example.test: 0 new, 1 gone", log)

    def test_server_dies_and_comes_back(self):
        for host in HOSTS[:2]:
            self.upstream(host)
        self.dns.set(NAME, "A", HOSTS[0])
        self.gateway()
        self.until_answered(HOSTS[0])
        self.dns.close()
        until("a failure", lambda: "dns.failed: api: A of api.example.test: no server" in self.gw.log())
        self.assertIn("what it had said stays", self.gw.log())
        self.assertEqual(set(self.asks(5)), {HOSTS[0]})  # what is stale is kept
        self.dns.set(NAME, "A", HOSTS[1])
        self.dns.open()
        self.until_answered(HOSTS[1])
        until("the news", lambda: "dns.answered: api: A of api.example.test: answered again" in self.gw.log())

    def test_stale_ends(self):
        self.upstream(HOST)
        self.dns.set(NAME, "A", HOST)
        self.gateway(stale="100ms")
        self.until_answered(HOST)
        with self.dns.lock:
            self.dns.code = nameserver.REFUSED
        until("the end of what is stale", lambda: self.ask() == 503)
        with self.dns.lock:
            self.dns.code = None
        self.until_answered(HOST)

    def test_name_goes(self):
        self.upstream(HOST)
        self.dns.set(NAME, "A", HOST)
        self.gateway()
        self.until_answered(HOST)
        self.dns.drop(NAME, "A")
        until("nobody", lambda: self.ask() == 503)
        self.dns.set(NAME, "A", HOST)
        self.until_answered(HOST)

    def test_nobody_at_first(self):
        self.upstream(HOST)
        self.gateway()
        self.assertEqual(self.ask(), 503)
        self.dns.set(NAME, "A", HOST)
        self.until_answered(HOST)

    def test_a_signal_while_it_is_waited_for(self):
        """SIGHUP at the first question: the answer is waited for all the same, and the file read once it runs."""
        self.upstream(HOST)
        self.dns.set(NAME, "A", HOST)

        def hang_up(response):
            self.dns.twist = None
            process = self.ground.processes[-1]
            until("it to wait", lambda: sleeps(process.pid))
            process.process.send_signal(signal.SIGHUP)
            until("it to wait again", lambda: sleeps(process.pid))
            return response

        self.dns.twist = hang_up
        self.gateway()
        self.assertEqual(self.ask(), HOST)
        until("the file to be read", lambda: "is loaded" in self.gw.log())
        self.assertNotIn("heard nothing", self.gw.log())

    def test_srv(self):
        for host in HOSTS:
            self.upstream(host)
        srv = "_http._tcp." + NAME
        for i, host in enumerate(HOSTS):
            self.dns.set("t%d.example.test" % i, "A", host)
        self.dns.set(srv, "SRV", (10, 30, self.port, "t0.example.test"),
                     (10, 10, self.port, "t1.example.test"), (20, 1, self.port, "t2.example.test"))
        self.gateway(name=srv, port=None, type="srv+a")
        answers = self.asks(400)
        self.assertEqual([answers.count(host) for host in HOSTS], [300, 100, 0])
        self.dns.set(srv, "SRV", (10, 0, self.port, "t1.example.test"),
                     (20, 1, self.port, "t2.example.test"))
        self.until_answered(HOSTS[1])
        self.dns.set("t1.example.test", "A", HOSTS[0])  # the name stays, its address moves
        self.until_answered(HOSTS[0])
        until("the news", lambda: "0 new, 0 gone, 1 changed" in self.gw.log())

    def test_aliases_and_many(self):
        """A chain of aliases; a response so long that it has to come by TCP; how many are kept."""
        self.upstream(HOST)
        self.dns.set(NAME, "CNAME", "b.example.test")
        self.dns.set("b.example.test", "CNAME", "c.example.test")
        self.dns.set("c.example.test", "A", HOST)
        self.gateway()
        self.until_answered(HOST)
        many = ["127.0.%d.%d" % (i // 200, i % 200 + 1) for i in range(1500)]
        self.dns.set("c.example.test", "A", *many)
        until("as many as may be", lambda: "api: 256 endpoints by" in self.gw.log())
        self.assertIn("left out, beyond what there may be: 1244", self.gw.log())
        self.dns.set("c.example.test", "CNAME", NAME)
        self.dns.drop("c.example.test", "A")
        until("the loop seen", lambda: "too many aliases" in self.gw.log())

    def test_nonsense(self):
        self.upstream(HOST)
        self.dns.set(NAME, "A", HOST)
        self.gateway()
        self.until_answered(HOST)
        twists = [lambda r: r[:-3], lambda r: r[:12] + b"\xff" * 300, lambda r: r[:-5] + b"\xc0\xff\0\0\1",
                  lambda r: r[:-6] + b"\0\3" + r[-4:-1], lambda r: r + b"\0" * 900]
        for twist in twists:
            with self.dns.lock:
                self.dns.twist = twist
            before = self.dns.count(NAME, "A")
            until("more questions", lambda before=before: self.dns.count(NAME, "A") > before + 2)
            self.assertEqual(set(self.asks(3)), {HOST})
        with self.dns.lock:
            self.dns.twist = None
        self.until_answered(HOST)

    def test_reload(self):
        """What is known of a name stays over a reload, though nobody answers at that moment; another name
        takes its place once something is heard of it."""
        for host in HOSTS[:2]:
            self.upstream(host)
        self.dns.set(NAME, "A", HOSTS[0])
        self.dns.set("other.example.test", "A", HOSTS[1])
        self.gateway()
        self.until_answered(HOSTS[0])
        with self.dns.lock:
            self.dns.code = nameserver.SERVFAIL
        self.reload(lambda dns: dns.update(ttl={"min": "30ms"}))
        self.assertEqual(set(self.asks(4)), {HOSTS[0]})
        with self.dns.lock:
            self.dns.code = None
        self.reload(lambda dns: dns.update(name="other.example.test"))
        self.until_answered(HOSTS[1])

    def reload(self, change):
        with open(self.gw.config_path) as f:
            config = json.load(f)
        change(config["clusters"][0]["dns"])
        with open(self.gw.config_path + ".new", "w") as f:
            json.dump(config, f)
        os.rename(self.gw.config_path + ".new", self.gw.config_path)
        told = self.gw.log().count(" runs: ")
        self.gw.process.send_signal(signal.SIGHUP)
        until("the reload", lambda: self.gw.log().count(" runs: ") > told)


if __name__ == "__main__":
    harness.main()
