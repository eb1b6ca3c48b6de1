/* help.c: what each command does, takes and answers. */
#include "help.h"
#include "commands.h"
#include "say.h"

#include <string.h>

struct topic {
    const char *name;
    const char *text;
};

static const char usage[] =
    "gw: an HTTP and gRPC gateway, on libgw\n"
    "\n"
    "  gw demo              a gateway and four upstreams, without a file; prints what to try\n"
    "  gw run FILE          run what FILE says, until SIGTERM or Ctrl-C\n"
    "  gw check FILE        is FILE right, and how much memory may it take\n"
    "  gw explain FILE      what would become of a request, and why\n"
    "  gw version           version, what is compiled in, licence\n"
    "  gw help COMMAND      more on one of them\n"
    "\n"
    "Exit codes: 0 fine, 1 failed while running, 2 wrong usage, 3 invalid configuration.\n"
    "New here? Start with: gw demo\n";

static const struct topic topics[] = {
    { "check",
      "gw check FILE [--against OLD] [--json]\n"
      "\n"
      "Reads FILE as \"gw run\" would, opens nothing, and prints the listeners and the most\n"
      "memory that the limits of the file allow; of clusters with consistent hash which part of\n"
      "the keys each endpoint has. Host names in endpoints are resolved.\n"
      "\n"
      "  --against OLD  the file that runs now: how many keys get another endpoint\n"
      "  --json         the same as one JSON object; errors too\n"
      "\n"
      "Exit code 0: the file is right. 3: it is not; stderr has\n"
      "FILE:LINE:COLUMN: FIELD: what is wrong, and the nearest name that exists.\n"
      "1: FILE cannot be read.\n" },
    { "demo",
      "gw demo [--port N] [--check [--json]]\n"
      "\n"
      "Runs a gateway on 127.0.0.1 in front of four upstreams of its own (two HTTP echo\n"
      "servers, two gRPC greeters), prints commands to try, and logs each request as a line of\n"
      "JSON on stdout, until Ctrl-C.\n"
      "\n"
      "  --port N  the gateway's port: 8080 if not given; 0: any that is free\n"
      "  --check   send requests through it (HTTP/1.1, HTTP/2, gRPC of all four kinds, and\n"
      "            some that must be refused), print how each went, and end\n"
      "  --json    of --check: the table as JSON\n"
      "\n"
      "Exit code of --check: 0 when every one went as it must, else 1.\n" },
    { "explain",
      "gw explain FILE [--method GET] --host HOST [--path /] [--header 'NAME: VALUE']...\n"
      "                [--client ADDRESS] [--scheme https] [--protocol h1|h2|tls]\n"
      "                [--server-name NAME] [--identity NAME]\n"
      "                [--listener NAME] [--cluster NAME] [--hash-key KEY] [--json]\n"
      "\n"
      "Says what a gateway that has just read FILE would do with such a request, and why: each\n"
      "route and why it is not the one, the limiters, the cluster, its endpoints, which one is\n"
      "picked, after what it would be sent again, and how long what may take. Nothing is sent.\n"
      "\n"
      "  --path PATH      with the query, as a client sends it\n"
      "  --client ADDRESS whom the connection is from: 10.0.0.7, or 10.0.0.7:4711\n"
      "  --scheme https   it came under TLS: as the listener says if not given\n"
      "  --server-name    that the client asked for by TLS\n"
      "  --identity       of its verified certificate: spiffe://d/x, a.example, CN=x\n"
      "  --protocol tls   TLS is passed through; --host is the name that the client asks for\n"
      "  --protocol h2    the client speaks HTTP/2; a gRPC call is a POST of application/grpc\n"
      "  --listener NAME  where it came in; the first of FILE if not given\n"
      "  --cluster NAME, --hash-key KEY\n"
      "                   what a host's filters would set\n"
      "  --json           the same as one JSON object\n"
      "\n"
      "Exit code 0: it was explained, also that it is refused. 2: no such listener or cluster.\n"
      "3: FILE is not right. 1: FILE cannot be read.\n" },
    { "help", "gw help [COMMAND]\n"
              "\n"
              "Says what COMMAND does, which options it takes and what its exit codes mean.\n" },
    { "run",
      "gw run FILE [--backend io_uring|epoll|poll|auto]\n"
      "\n"
      "Runs the configuration in FILE (YAML; JSON is YAML too).\n"
      "\n"
      "  --backend NAME  how sockets are waited for; wins over the file's. auto: io_uring where\n"
      "                  the kernel gives it, else epoll\n"
      "\n"
      "Signals:\n"
      "  SIGTERM, SIGINT  take no new requests, finish those in flight (for at most the file's\n"
      "                   \"drain\", 30s if it has none), end; a second one ends at once\n"
      "  SIGUSR1          open the access log anew: after it was moved away\n"
      "  SIGUSR2          write how everything is now, and what became of the last requests, to\n"
      "                   stderr, a line of JSON each\n"
      "  SIGHUP           read FILE again: all of it holds from then on or, if it is wrong, none\n"
      "\n"
      "Exit code 0: ended as asked. 1: could not start, or failed. 3: FILE is not right.\n" },
    { "version", "gw version [--json]\n"
                 "\n"
                 "Prints the version of libgw, what is compiled into it, and its licence.\n" },
};

void help_usage(FILE *out)
{
    fputs(usage, out);
}

int command_help(int argc, char **argv)
{
    if (argc == 0) {
        help_usage(stdout);
        return EXIT_FINE;
    }
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        if (strcmp(argv[0], topics[i].name) == 0) {
            fputs(topics[i].text, stdout);
            return EXIT_FINE;
        }
    }
    say("there is no command \"%s\"; \"gw help\" lists them", argv[0]);
    return EXIT_USAGE;
}
