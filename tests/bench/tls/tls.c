/* tls.c: what a TLS library costs by itself, OpenSSL beside the wolfSSL that is linked: CPU time of a
 * handshake for each end, of small records and of 16 KiB records, and the bytes that a connection holds
 * when it is idle. Both ends are of the same library and in memory; kernel and gateway have no part.
 *
 *   tls DIR [SECONDS]   DIR: ec.pem ec.key rsa.pem rsa.key (make makes them); seconds a row, 0.5 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "library.h"

enum { RECORD = 16384, SESSIONS = 64 };

static size_t held;

size_t wire_take(struct wire *w, void *to, size_t size)
{
    size_t n = w->end - w->at < size ? w->end - w->at : size;
    memcpy(to, w->bytes + w->at, n);
    w->at += n;
    if (w->at == w->end) {
        w->at = w->end = 0;
    }
    return n;
}

void wire_put(struct wire *w, const void *from, size_t size)
{
    if (w->end + size > w->room) {
        fprintf(stderr, "a wire is full\n");
        exit(1);
    }
    memcpy(w->bytes + w->end, from, size);
    w->end += size;
}

void *counted_take(size_t size)
{
    void *at = malloc(size);
    held += at ? malloc_usable_size(at) : 0;
    return at;
}

void counted_give(void *at)
{
    held -= at ? malloc_usable_size(at) : 0;
    free(at);
}

void *counted_retake(void *at, size_t size)
{
    if (at && size == 0) {
        counted_give(at);
        return NULL;
    }
    size_t old = at ? malloc_usable_size(at) : 0;
    void *now = realloc(at, size);
    held += now ? malloc_usable_size(now) - old : 0;
    return now;
}

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct wire to_server, to_client;

struct pair {
    void *client, *server;
};

/* Adds what each end took to us[]. 0: it came about. */
static int connect_pair(const struct library *lib, struct pair *p, double us[2])
{
    int client_done = 0, server_done = 0;
    double start = cpu_us();
    to_server.at = to_server.end = to_client.at = to_client.end = 0;
    p->client = lib->new_end(0, &to_client, &to_server);
    us[0] += cpu_us() - start;
    start = cpu_us();
    p->server = lib->new_end(1, &to_server, &to_client);
    us[1] += cpu_us() - start;
    for (int turn = 0; turn < 8 && !(client_done == 1 && server_done == 1); turn++) {
        start = cpu_us();
        client_done = client_done ? client_done : lib->shake(p->client);
        us[0] += cpu_us() - start;
        start = cpu_us();
        server_done = server_done ? server_done : lib->shake(p->server);
        us[1] += cpu_us() - start;
        if (client_done < 0 || server_done < 0) {
            return -1;
        }
    }
    return client_done == 1 && server_done == 1 ? 0 : -1;
}

static void free_pair(const struct library *lib, struct pair *p)
{
    lib->free_end(p->client);
    lib->free_end(p->server);
}

static void must(int good, const struct library *lib, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s: %s failed\n", lib->name, what);
        exit(1);
    }
}

static void row(const struct library *lib, const char *what, const char *format, double a, double b)
{
    printf("| %s | %s %s | ", what, lib->name, lib->version());
    printf(format, a, b);
    printf(" |\n");
    fflush(stdout);
}

static void handshakes(const struct library *lib, const char *what, const struct terms *t,
                       double seconds)
{
    double us[2] = { 0, 0 };
    size_t n = 0;
    must(lib->open(t) == 0, lib, what);
    for (struct pair p; us[0] + us[1] < seconds * 1e6; n++) {
        must(connect_pair(lib, &p, us) == 0, lib, what);
        if (n == 0) {
            us[0] = us[1] = 0; /* what is made once */
        }
        free_pair(lib, &p);
    }
    lib->close();
    row(lib, what, "%.0f us, %.0f us", us[1] / (double)(n - 1), us[0] / (double)(n - 1));
}

static void records(const struct library *lib, const char *what, const struct terms *t,
                    double seconds)
{
    static char bytes[RECORD];
    struct pair p;
    double ignored[2] = { 0, 0 }, seal = 0, open = 0;
    size_t n = 0;
    must(lib->open(t) == 0 && connect_pair(lib, &p, ignored) == 0, lib, what);
    (void)lib->read(p.client, bytes, RECORD); /* tickets */
    for (; seal + open < seconds * 1e6; n++) {
        double start = cpu_us();
        must(lib->write(p.server, bytes, RECORD) == RECORD, lib, what);
        seal += cpu_us() - start;
        start = cpu_us();
        must(lib->read(p.client, bytes, RECORD) == RECORD, lib, what);
        open += cpu_us() - start;
    }
    free_pair(lib, &p);
    lib->close();
    row(lib, what, "%.2f GB/s, %.2f GB/s", (double)n * RECORD / seal / 1e3,
        (double)n * RECORD / open / 1e3);
}

/* A request of 120 bytes and an answer of 220: what the server's end takes for both. */
static void small(const struct library *lib, const char *what, const struct terms *t,
                  double seconds)
{
    enum { BATCH = 200 };
    static char bytes[RECORD];
    struct pair p;
    double ignored[2] = { 0, 0 }, us = 0;
    size_t n = 0;
    must(lib->open(t) == 0 && connect_pair(lib, &p, ignored) == 0, lib, what);
    (void)lib->read(p.client, bytes, RECORD);
    for (; us < seconds * 1e6; n += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            must(lib->write(p.client, bytes, 120) == 120, lib, what);
        }
        double start = cpu_us();
        for (int i = 0; i < BATCH; i++) {
            must(lib->read(p.server, bytes, RECORD) == 120 &&
                     lib->write(p.server, bytes, 220) == 220,
                 lib, what);
        }
        us += cpu_us() - start;
        for (int i = 0; i < BATCH; i++) {
            must(lib->read(p.client, bytes, RECORD) == 220, lib, what);
        }
    }
    free_pair(lib, &p);
    lib->close();
    row(lib, what, "%.2f us%.0s", us / (double)n, 0);
}

static void memory(const struct library *lib, const char *what, const struct terms *t)
{
    static char bytes[RECORD];
    struct pair pairs[SESSIONS + 1];
    double ignored[2] = { 0, 0 };
    size_t before = 0, all;
    must(lib->open(t) == 0, lib, what);
    for (int i = 0; i <= SESSIONS; i++) {
        if (i == 1) {
            before = held;
        }
        must(connect_pair(lib, &pairs[i], ignored) == 0, lib, what);
        (void)lib->read(pairs[i].client, bytes, RECORD);
        must(lib->write(pairs[i].client, bytes, 120) == 120 &&
                 lib->read(pairs[i].server, bytes, RECORD) == 120 &&
                 lib->write(pairs[i].server, bytes, 220) == 220 &&
                 lib->read(pairs[i].client, bytes, RECORD) == 220,
             lib, what);
        (void)lib->read(pairs[i].server, bytes, RECORD);
        (void)lib->read(pairs[i].client, bytes, RECORD);
    }
    all = held - before;
    for (int i = 1; i <= SESSIONS; i++) {
        lib->free_end(pairs[i].client);
    }
    size_t servers = held - before;
    for (int i = 1; i <= SESSIONS; i++) {
        lib->free_end(pairs[i].server);
    }
    free_pair(lib, &pairs[0]);
    lib->close();
    row(lib, what, "%.0f B, %.0f B", (double)servers / SESSIONS,
        (double)(all - servers) / SESSIONS);
}

int main(int argc, char **argv)
{
    const struct library *libs[] = { &openssl, &wolfssl };
    double seconds = argc > 2 ? atof(argv[2]) : 0.5;
    char files[4][512];
    static const char *const names[] = { "ec.pem", "ec.key", "rsa.pem", "rsa.key" };
    if (argc < 2) {
        fprintf(stderr, "tls DIR [SECONDS]\n");
        return 2;
    }
    for (int i = 0; i < 4; i++) {
        snprintf(files[i], sizeof files[i], "%s/%s", argv[1], names[i]);
    }
    to_server.room = to_client.room = 1 << 20;
    to_server.bytes = malloc(to_server.room);
    to_client.bytes = malloc(to_client.room);
    for (int i = 0; i < 2; i++) {
        must(libs[i]->prepare() == 0, libs[i], "prepare");
    }
    printf("| what | library | |\n|---|---|---|\n");
    for (int i = 0; i < 2; i++) {
        const struct library *lib = libs[i];
        struct terms ec = {
            .suite = lib->suites[0], .cert = files[0], .key = files[1], .version = 13
        };
        struct terms p256 = ec, rsa = ec, aes256 = ec, chacha = ec, old = ec;
        p256.p256 = 1;
        rsa.cert = files[2];
        rsa.key = files[3];
        aes256.suite = lib->suites[1];
        chacha.suite = lib->suites[2];
        old.suite = lib->suite12;
        old.version = 12;
        handshakes(lib, "handshake, ECDSA P-256 and X25519: server, client", &ec, seconds);
        handshakes(lib, "handshake, ECDSA P-256 and P-256: server, client", &p256, seconds);
        handshakes(lib, "handshake, RSA-2048 and X25519: server, client", &rsa, seconds);
        handshakes(lib, "handshake, TLS 1.2, ECDSA P-256 and X25519: server, client", &old,
                   seconds);
        small(lib, "a request of 120 bytes and its answer of 220, AES-128-GCM: server", &ec,
              seconds);
        small(lib, "the same, ChaCha20-Poly1305", &chacha, seconds);
        records(lib, "records of 16 KiB, AES-128-GCM: seal, open", &ec, seconds);
        records(lib, "records of 16 KiB, AES-256-GCM: seal, open", &aes256, seconds);
        records(lib, "records of 16 KiB, ChaCha20-Poly1305: seal, open", &chacha, seconds);
        memory(lib, "held by an idle session: server, client", &ec);
    }
    free(to_server.bytes);
    free(to_client.bytes);
    return 0;
}
