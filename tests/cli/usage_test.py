"""gw: exit codes and messages of what needs no network."""
import json
import os
import re
import unittest

import support
from support import gw

GATEWAY = """\
listeners:
  - name: edge
    address: 127.0.0.1:0
clusters:
  - name: web
    endpoints: [ { address: "127.0.0.1:9" } ]
routes:
  - name: all
    match: { prefix: / }
    cluster: %s
"""


class Usage(unittest.TestCase):
    def says(self, arguments, code, text):
        """That code, nothing on stdout, and text on stderr."""
        got, out, err = gw(*arguments)
        self.assertEqual((got, out), (code, ""), err)
        self.assertEqual(err, text)

    def test_no_command(self):
        code, out, err = gw()
        self.assertEqual((code, out), (2, ""))
        self.assertIn("gw demo", err)

    def test_unknown_command(self):
        self.says(["rum"], 2, 'gw: there is no command "rum"; "gw help" lists them\n')
        self.says(["help", "rum"], 2, 'gw: there is no command "rum"; "gw help" lists them\n')

    def test_unknown_options(self):
        for command in ["run", "check", "demo", "explain", "version"]:
            self.says([command, "--fast"], 2,
                      f'gw: {command} does not know "--fast"; "gw help {command}" says what it '
                      'takes\n')

    def test_missing_arguments(self):
        self.says(["run"], 2, 'gw: run needs a file: gw run FILE; "gw demo" needs none\n')
        self.says(["check"], 2, "gw: check needs a file: gw check FILE\n")
        self.says(["check", "x", "--against"], 2,
                  "gw: --against needs a file: gw check FILE --against OLD\n")
        self.says(["explain"], 2,
                  "gw: explain needs a file: gw explain FILE --host a.example --path /\n")
        for option in ["--host", "--path", "--client", "--header", "--protocol"]:
            self.says(["explain", "x", option], 2,
                      f'gw: {option} needs a value; "gw help explain" says which\n')
        self.says(["explain", "x", "--header", "nothing"], 2,
                  'gw: --header takes "name: value", not "nothing"\n')
        self.says(["explain", "x", "--header", "Host: a"], 2, "gw: say the host with --host\n")
        self.says(["explain", "x", "--protocol", "h3"], 2,
                  'gw: there is no protocol "h3"; --protocol takes h1, h2 or tls\n')
        self.says(["explain", "x", "--scheme", "ftp"], 2,
                  'gw: there is no scheme "ftp"; --scheme takes http or https\n')
        self.says(["run", "x", "--backend"], 2,
                  "gw: --backend needs a name: io_uring, epoll, poll or auto\n")
        self.says(["run", "x", "--backend", "kqueue"], 2,
                  'gw: there is no backend "kqueue"; --backend takes io_uring, epoll, poll or auto\n')
        for port in ["", "-1", "65536", "http"]:
            self.says(["demo", "--port", port], 2,
                      "gw: --port needs a number from 0 to 65535; 0 is any that is free\n")
        self.says(["demo", "--json"], 2,
                  "gw: --json goes with --check: gw demo --check --json\n")

    def test_help_of_each_command(self):
        _, usage, _ = gw("help")
        commands = re.findall(r"^  gw (\w+)", usage, re.MULTILINE)
        self.assertEqual(commands, ["demo", "run", "check", "explain", "version", "help"])
        for command in commands:
            code, out, err = gw("help", command)
            self.assertEqual((code, err), (0, ""))
            self.assertTrue(out.startswith("gw " + command), out)
            self.assertLessEqual(max(map(len, out.splitlines())), 90)
            self.assertEqual(gw(command, "--help")[1], out)

    def test_version(self):
        code, out, _ = gw("version")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"^gw \d+\.\d+\.\d+\n")
        code, out, _ = gw("version", "--json")
        self.assertEqual(code, 0)
        self.assertEqual(set(json.loads(out)), {"version", "features", "licence"})


@unittest.skipUnless("yaml" in gw("version")[1], "this build has no libyaml: it reads no files")
class Check(support.Folder):
    def test_a_file_that_is_right(self):
        path = self.write("gateway.yaml", GATEWAY % "web")
        code, out, err = gw("check", path)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("listener edge on 127.0.0.1:0", out)
        self.assertRegex(out, r"\d+\.\d MiB  in all")

    def test_json(self):
        path = self.write("gateway.yaml", "workers: 3\n" + GATEWAY % "web")
        code, out, _ = gw("check", path, "--json")
        self.assertEqual(code, 0)
        answer = json.loads(out)
        memory = answer["memory"]
        self.assertEqual((answer["valid"], answer["workers"]), (True, 3))
        one = memory["blocks"] + memory["objects"] + memory["h2"]
        self.assertEqual(memory["total"], 3 * one + memory["config"] + memory["shared"])

    @unittest.skipUnless("dns=" in gw("version")[1], "this build asks no name servers")
    def test_endpoints_from_dns(self):
        text = GATEWAY.replace("clusters:\n", 'clusters:\n  - { name: api, dns: { name: api.example, port: 81, '
                               'type: a } }\n  - { name: far, dns: { name: _h._tcp.far.example, type: srv } }\n')
        path = self.write("gateway.yaml", text % "api")
        code, out, err = gw("check", path)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("  cluster api from DNS: a of api.example, port 81\n"
                      "  cluster far from DNS: srv of _h._tcp.far.example\n", out)
        self.assertEqual(json.loads(gw("check", path, "--json")[1])["dns"],
                         [{"cluster": "api", "name": "api.example", "type": "a", "port": 81},
                          {"cluster": "far", "name": "_h._tcp.far.example", "type": "srv"}])

    def test_shares_and_what_moves(self):
        cache = ('clusters:\n  - name: cache\n    balance: { policy: consistent_hash }\n'
                 '    endpoints: [ { address: "10.0.0.1:80", name: svc-a, weight: 100 },'
                 ' { address: "10.0.0.2:80", name: svc-b, weight: 100 }%s ]\n'
                 '  - { name: plain, endpoints: [ { address: "10.0.0.4:80" } ] }\n'
                 'routes: [ { name: all, match: { prefix: / }, cluster: cache } ]\n')
        third = ', { address: "10.0.0.3:80", name: svc-c, weight: 200 }'
        three = self.write("three.yaml", cache % third)
        two = self.write("two.yaml", cache % "")
        code, out, _ = gw("check", three, "--json", "--against", two)
        (cluster,) = json.loads(out)["clusters"]
        shares = {s["endpoint"]: s for s in cluster["shares"]}
        self.assertEqual((code, cluster["name"]), (0, "cache"))
        self.assertEqual([shares[n]["due"] for n in ("svc-a", "svc-b", "svc-c")],
                         [250000, 250000, 500000])
        self.assertEqual(cluster["moved"], shares["svc-c"]["millionths"])
        code, out, err = gw("check", two, "--against", three)
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"\d\d\.\d %  svc-a, by weight  50\.0 %, 256 points\n")
        self.assertRegex(out, r" [45]\d\.\d %  of the keys move\n$")
        self.assertNotIn("plain", out)
        self.assertNotIn("move", gw("check", two)[1])
        other = self.write("other.yaml", (cache % third).replace("cache", "stash"))
        self.assertIn("it is new\n", gw("check", other, "--against", two)[1])
        bad = self.write("bad.yaml", GATEWAY % "wev")
        self.assertEqual(gw("check", two, "--against", bad)[0], 3)

    def test_what_moves_by_the_unit_is_said(self):
        cache = ('clusters:\n  - name: cache\n    balance: { policy: %s }\n'
                 '    endpoints: [ { address: "10.0.0.1:80", name: svc-a, weight: 90 },'
                 ' { address: "10.0.0.2:80", name: svc-b, weight: %d } ]\n'
                 'routes: [ { name: all, match: { prefix: / }, cluster: cache } ]\n')
        write = lambda name, policy, weight: self.write(name, cache % (policy, weight))
        under, over, turns = (write("under.yaml", "consistent_hash", 99),
                              write("over.yaml", "consistent_hash", 100),
                              write("turns.yaml", "round_robin", 99))
        said = "    the unit of weight was 10, and is 100: keys move that need not; " \
               "with hash.unit: 10 they stay\n"
        self.assertTrue(gw("check", over, "--against", under)[1].endswith(said))
        self.assertNotIn("unit", gw("check", over, "--against", over)[1])
        pinned = self.write("pinned.yaml", (cache % ("consistent_hash", 100)).replace(
            "consistent_hash }", "consistent_hash, hash: { unit: 10 } }"))
        self.assertNotIn("unit", gw("check", pinned, "--against", under)[1])
        halved = self.write("halved.yaml", (cache % ("consistent_hash", 100)).replace(
            "consistent_hash }", "consistent_hash, hash: { unit: 10, points: 10000 } }"))
        self.assertIn("the unit of weight was 10, and is 10, halved 2 times: keys move that need not\n",
                      gw("check", halved, "--against", under)[1])
        (cluster,) = json.loads(gw("check", over, "--json", "--against", under)[1])["clusters"]
        self.assertEqual([cluster[n] for n in ("unit", "unit_before", "halved", "halved_before")],
                         [100, 10, 0, 0])
        self.assertTrue(gw("check", turns, "--against", over)[1].endswith(
            "  cluster cache has no shares of keys any more: all keys may move\n"))
        self.assertTrue(gw("check", over, "--against", turns)[1].endswith(
            "    it had none before: all keys may move\n"))
        (cluster,) = json.loads(gw("check", turns, "--json", "--against", over)[1])["clusters"]
        self.assertEqual(cluster, {"name": "cache", "moved": 1000000, "shares": []})

    def test_place_and_nearest_name_of_an_error(self):
        path = self.write("gateway.yaml", GATEWAY % "wev")
        for command in ["check", "run"]:
            code, out, err = gw(command, path)
            self.assertEqual((code, out), (3, ""))
            self.assertRegex(err, "^" + re.escape(path) + r":10:\d+: routes\[0\]\.cluster: .*\bweb\b")
        code, out, _ = gw("check", path, "--json")
        error = json.loads(out)
        self.assertEqual((code, error["valid"], error["line"], error["where"]),
                         (3, False, 10, "routes[0].cluster"))

    def test_explain(self):
        path = self.write("gateway.yaml", GATEWAY % "web" +
                          "  - name: posts\n    match: { prefix: /p, methods: [ POST ] }\n"
                          "    respond: { status: 410 }\n")
        code, out, err = gw("explain", path, "--host", "a", "--path", "/x/../y")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("  request   note  /y: the path that is matched\n", out)
        self.assertIn("  route     yes   all: ", out)
        self.assertIn("  route     no    posts: its path is another one\n", out)
        self.assertTrue(out.endswith("\nsent to 127.0.0.1:9: endpoint 127.0.0.1:9 of cluster web,"
                                     " by route all\n"), out)
        code, out, _ = gw("explain", path, "--host", "a", "--path", "/p", "--method", "POST", "--json")
        answer = json.loads(out)
        self.assertEqual((code, answer["ends"], answer["route"], answer["code"]),
                         (0, "reply", "posts", 410))
        self.assertEqual([s["name"] for s in answer["steps"] if s["what"] == "route"],
                         ["posts", "all", "posts"])
        code, out, _ = gw("explain", path, "--host", "a", "--path", "/%zz", "--json")
        answer = json.loads(out)
        self.assertEqual((code, answer["ends"], answer["code"], answer["cause"]),
                         (0, "failure", 400,
                          {"by": "client", "phase": "receive", "reason": "bad_target"}))
        self.assertIn("refused with 400: client/receive/bad_host\n", gw("explain", path)[1])
        self.says_of(["explain", path, "--host", "a", "--client", "me"], 2,
                     "gw: --client takes an address: 10.0.0.7, or 10.0.0.7:4711\n")
        self.says_of(["explain", path, "--host", "a", "--listener", "side"], 2,
                     f'gw: {path} has no listener "side"\n')
        self.says_of(["explain", path, "--host", "a", "--listener", "edgy"], 2,
                     f'gw: {path} has no listener "edgy"; did you mean "edge"?\n')
        self.says_of(["explain", path, "--host", "a", "--cluster", "wev"], 2,
                     f'gw: {path} has no cluster "wev"; did you mean "web"?\n')
        bad = self.write("bad.yaml", GATEWAY % "wev")
        self.assertEqual(gw("explain", bad, "--host", "a")[0], 3)

    def says_of(self, arguments, code, text):
        self.assertEqual(gw(*arguments), (code, "", text))

    def test_a_file_that_is_not_there(self):
        path = os.path.join(self.folder, "none.yaml")
        for command in ["check", "run"]:
            code, out, err = gw(command, path)
            self.assertEqual((code, out), (1, ""))
            self.assertEqual(err, f"gw: cannot read {path}: No such file or directory\n")

    def test_a_name_that_does_not_resolve(self):
        lonely = GATEWAY.replace("127.0.0.1:9", "no-such-host.invalid:80") % "web"
        code, _, err = gw("check", self.write("lonely.yaml", lonely))
        self.assertEqual(code, 3)
        self.assertIn("no-such-host.invalid does not resolve", err)
        backed = GATEWAY.replace('{ address: "127.0.0.1:9" }',
                                 '{ address: "no-such-host.invalid:80" }, { address: "localhost:9" }')
        code, _, err = gw("check", self.write("backed.yaml", backed % "web"))
        self.assertEqual(code, 0, err)
        self.assertIn("no-such-host.invalid does not resolve", err)


if __name__ == "__main__":
    support.main()
