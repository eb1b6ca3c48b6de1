"""examples/grpc-tls as its page says, with its own gRPC client and server, and with JavaScript's."""

import os
import shutil
import signal
import sys

import grpc_test
import harness
import secure
from harness import HOST, free_port, need, need_module

EXAMPLE = os.path.join(harness.ROOT, "examples", "grpc-tls")


class Walk(harness.PeerCase):
    def setUp(self):
        super().setUp()
        secure.need_tls()
        need("openssl")
        need_module("grpc", "python3-grpcio")
        self.here = os.path.join(self.folder, "grpc-tls")
        shutil.copytree(EXAMPLE, self.here, ignore=shutil.ignore_patterns("certs"))
        self.assertEqual(self.run_it("certificates.sh")[0], 0)
        self.ports = {"4443": str(free_port()), "50051": str(free_port())}

    def path(self, *names):
        return os.path.join(self.here, *names)

    def run_it(self, name, *words):
        return harness.run_program(self.path(name), *words)

    def start_gateway(self, old="", new=""):
        with open(os.path.join(EXAMPLE, "gateway.yaml")) as f:
            text = f.read().replace(old, new)
        for port, free in self.ports.items():
            self.assertIn("127.0.0.1:" + port, text)
            text = text.replace("127.0.0.1:" + port, "%s:%s" % (HOST, free))
        with open(self.path("gateway.yaml"), "w") as f:
            f.write(text)

    def run_gateway(self):
        self.start_gateway()
        self.gw = self.start(harness.GW, "run", self.path("gateway.yaml"),
                             port=int(self.ports["4443"]), name="gw")

    def python(self, name, *words):
        """One of the example's programs, on this test's address."""
        with open(os.path.join(EXAMPLE, name)) as f:
            text = f.read().replace("127.0.0.1", HOST)
        with open(self.path(name), "w") as f:
            f.write(text)
        return [sys.executable, self.path(name), *words]

    def greet(self, name):
        return harness.run_program(*self.python("client.py", name, self.ports["4443"]))

    def test_python(self):
        self.start(*self.python("server.py", self.ports["50051"]), port=int(self.ports["50051"]))
        self.run_gateway()
        self.assertEqual(self.greet("World")[:2], (0, b"Hello World\n"))
        self.start_gateway("server_name: backend.local", "server_name: localhost")
        self.gw.process.send_signal(signal.SIGHUP)
        harness.until("the reload", lambda: "configuration 2 runs" in self.gw.log())
        status, _, error = self.greet("World")
        self.assertEqual(status, 1)
        self.assertIn("UNAVAILABLE", error)
        for word in ("expected a certificate for localhost", "backend.local"):
            self.assertIn(word, error)

    def test_javascript(self):
        node = grpc_test.need_node()
        program = os.path.join(harness.HERE, "node", "greeter.js")
        self.start(node, program, "serve", "%s:%s" % (HOST, self.ports["50051"]), self.path("certs"),
                   port=int(self.ports["50051"]))
        self.run_gateway()
        status, out, error = harness.run_program(
            node, program, "greet", "%s:%s" % (HOST, self.ports["4443"]), self.path("certs"))
        self.assertEqual((status, out), (0, b"Hello World\n"), error)
        self.assertEqual(self.greet("Python")[:2], (0, b"Hello Python\n"))


if __name__ == "__main__":
    harness.main()
