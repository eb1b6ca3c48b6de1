/* tests/embed/cycles.c: a whole life, again and again: a configuration is built and loaded, an engine, a
 * worker without I/O and a loop with sockets are made, serve a request over each protocol on both sides,
 * and are freed. By a host that brings its own allocator for the engine, and another for its worker:
 *
 *     cycles N    N times; then nothing is left with either, of malloc as many pieces are out and as many
 *                 descriptors open as after the first few, and nobody has gone behind their backs:
 *                 malloc and its kin stand in this file, and count who else asks
 *
 * Allowed is what others make by their own malloc: libnghttp2 its tables, with a worker; libyaml while it
 * parses. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gw/gw.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#if defined(__GLIBC__) && !defined(HAS_SANITIZER)
#define COUNTS_MALLOC 1
#endif

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            where = NOWHERE;                                                                       \
            fprintf(stderr, "cycles: line %d: %s\n", __LINE__, #condition);                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* What is being called; NOWHERE: the test's own code. */
static enum where { NOWHERE, LIBRARY, WORKERS, FILES, PLACES } where;
static long asked[PLACES], given_back[PLACES]; /* of malloc and free, behind the host's back */

/* ---- malloc ---- */

#ifdef COUNTS_MALLOC
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *ptr);

void *malloc(size_t size)
{
    asked[where]++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    asked[where]++;
    return __libc_calloc(count, size);
}

void *realloc(void *ptr, size_t size)
{
    asked[where]++;
    given_back[where] += ptr != NULL;
    return __libc_realloc(ptr, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    asked[where]++;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    asked[where]++;
    *out = __libc_memalign(alignment, size);
    return *out == NULL ? ENOMEM : 0;
}

void free(void *ptr)
{
    given_back[where] += ptr != NULL;
    __libc_free(ptr);
}
#else
#define __libc_malloc malloc
#define __libc_free free
#endif

/* ---- the host's own memory ---- */

struct memory {
    long live, calls;
    size_t bytes;
};

static void *take(void *ctx, size_t size)
{
    struct memory *m = ctx;

    m->live++;
    m->calls++;
    m->bytes += size;
    return __libc_malloc(size);
}

static void give(void *ctx, void *ptr, size_t size)
{
    struct memory *m = ctx;

    m->live--;
    m->bytes -= size;
    __libc_free(ptr);
}

static struct memory shared, own;
static const gw_allocator of_worker = { &own, take, give };

/* ---- requests ---- */

static const char get_h1[] = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
/* Preface, settings; GET / of "a" on 1; a gRPC call on 3. */
static const char get_h2[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
                             "\0\0\6\1\5\0\0\0\1\x82\x84\x86\x41\1\x61"
                             "\0\0\x25\1\5\0\0\0\3\x83\x84\x86\x41\1\x61\x5f\20application/grpc"
                             "\x40\2te\10trailers";

/* A head on that stream. */
static bool has_head(const char *at, size_t len, char stream)
{
    for (size_t i = 3; i + 6 <= len; i++)
        if (at[i] == 1 && memcmp(at + i + 2, "\0\0\0", 3) == 0 && at[i + 5] == stream)
            return true;
    return false;
}

static bool is_answered(const char *at, size_t len, bool is_h2)
{
    if (!is_h2)
        return memmem(at, len, "HTTP/1.1 200 OK\r\n", 17) != NULL;
    return has_head(at, len, 1) && has_head(at, len, 3);
}

static gw_str request_of(bool is_h2)
{
    return is_h2 ? (gw_str){ get_h2, sizeof get_h2 - 1 } : gw_cstr(get_h1);
}

static bool has_feature(const char *name)
{
    return strstr(gw_build_features(), name) != NULL;
}

/* ---- configurations ---- */

static void add_cluster(gw_builder *b, const char *name, uint32_t protocol, const char *address)
{
    gw_cluster_spec cluster = GW_SPEC(gw_cluster_spec);
    gw_endpoint_spec endpoint = GW_SPEC(gw_endpoint_spec);

    cluster.name = gw_cstr(name);
    cluster.protocols = protocol;
    endpoint.address = gw_cstr(address);
    gw_builder_endpoint(b, gw_builder_cluster(b, &cluster), &endpoint);
}

static void add_route(gw_builder *b, const char *name, const char *cluster)
{
    gw_route_spec route = GW_SPEC(gw_route_spec);

    route.name = route.listener = gw_cstr(name);
    route.cluster = gw_cstr(cluster);
    if (cluster == NULL) {
        route.reply_code = 200;
        route.reply_body = gw_cstr("back\n");
    }
    gw_builder_route(b, &route);
}

/* Listeners that relay to the listener "back" over either protocol. */
static gw_config *configure(const gw_env *env, const char *back)
{
    static const char *const names[] = { "back", "by-h1", "by-h2" };
    gw_builder *b = NULL;
    gw_config *config = NULL;

    MUST(gw_builder_new(env, &b) == GW_OK);
    for (size_t i = 0; i < 3; i++) {
        gw_listener_spec listener = GW_SPEC(gw_listener_spec);
        listener.name = gw_cstr(names[i]);
        listener.flags = GW_LISTENER_NO_VIA;
        gw_builder_listener(b, &listener);
    }
    add_cluster(b, "h1", GW_PROTO_H1, back);
    add_cluster(b, "h2", has_feature("h2=") ? GW_PROTO_H2 : GW_PROTO_H1, back);
    add_route(b, "back", NULL);
    add_route(b, "by-h1", "h1");
    add_route(b, "by-h2", "h2");
    MUST(gw_builder_build(b, &config, NULL) == GW_OK);
    return config;
}

static void load_file(const gw_env *env)
{
    static const char file[] = "listeners:\n- name: edge\n  address: 127.0.0.1:80\n"
                               "routes:\n- name: all\n  respond: {status: 204}\n";
    gw_config *config = NULL;
    bool is_loaded;

    where = FILES;
    is_loaded = gw_yaml_load(env, gw_cstr(file), NULL, NULL, NULL, NULL, &config, NULL) == GW_OK;
    where = LIBRARY;
    MUST(is_loaded == has_feature("yaml"));
    gw_config_unref(config);
}

/* ---- without I/O ---- */

static void ask_worker(gw_worker *w, const char *listener, bool is_h2)
{
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    gw_str request = request_of(is_h2);
    gw_link *link = NULL;
    gw_const_span span;
    char answer[4096];
    size_t len = 0;

    accept.listener = gw_cstr(listener);
    accept.early = (gw_const_span){ request.ptr, request.len };
    MUST(gw_worker_accept(w, &accept, &link) == GW_OK);
    MUST(gw_worker_step(w, 1000000000) == GW_OK);
    while (gw_link_unsent(link, &span, 1) == 1) {
        MUST(len + span.len <= sizeof answer);
        memcpy(answer + len, span.ptr, span.len);
        len += span.len;
        gw_link_sent(link, span.len, GW_OK);
        MUST(gw_worker_step(w, 1000000000) == GW_OK);
    }
    MUST(is_answered(answer, len, is_h2));
    gw_link_closed(link);
    MUST(gw_worker_step(w, 1000000000) == GW_OK);
}

static void serve_bytes(gw_engine *engine)
{
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);
    gw_worker *w = NULL;
    gw_status status;

    spec.allocator = &of_worker;
    where = WORKERS;
    status = gw_worker_new(engine, &spec, &w);
    where = LIBRARY;
    MUST(status == GW_OK && own.live > 0);
    ask_worker(w, "back", false);
    if (has_feature("h2="))
        ask_worker(w, "back", true);
    where = WORKERS;
    gw_worker_free(w);
    where = LIBRARY;
    MUST(own.live == 0 && own.bytes == 0);
}

/* ---- over sockets ---- */

enum { KINDS = 4 };
static bool is_told; /* that one of them is not there */

static void listen_as(gw_loop *loop, const char *name, char *address, size_t max)
{
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    gw_listen_spec listen = GW_SPEC(gw_listen_spec);
    gw_listener *listener = NULL;

    accept.listener = gw_cstr(name);
    listen.address = gw_cstr("127.0.0.1:0");
    listen.accept = &accept;
    MUST(gw_loop_listen(loop, &listen, &listener) == GW_OK);
    address[gw_listener_address(listener, address, max - 1)] = '\0';
}

static int connect_to(const char *address)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    MUST(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static void ask_loop(gw_loop *loop, const char *address, bool is_h2)
{
    gw_str request = request_of(is_h2);
    char answer[4096];
    size_t len = 0;
    int fd = connect_to(address);

    MUST(send(fd, request.ptr, request.len, MSG_NOSIGNAL) == (ssize_t)request.len);
    while (!is_answered(answer, len, is_h2)) {
        MUST(gw_loop_run_once(loop, 100) == GW_OK);
        ssize_t n = recv(fd, answer + len, sizeof answer - len, MSG_DONTWAIT);
        MUST(n != 0 && (n > 0 || errno == EAGAIN));
        len += n > 0 ? (size_t)n : 0;
        MUST(len < sizeof answer);
    }
    close(fd);
}

static void serve_sockets(const gw_env *env, gw_engine *engine, uint32_t kind)
{
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    gw_worker_spec worker = GW_SPEC(gw_worker_spec);
    gw_loop *loop = NULL;
    gw_config *config;
    char back[64], by_h1[64], by_h2[64];
    gw_status status;

    worker.allocator = &of_worker;
    spec.worker = &worker;
    spec.kind = kind;
    where = WORKERS;
    status = gw_loop_new(engine, &spec, &loop);
    where = NOWHERE;
    if (status == GW_EUNSUPPORTED && !is_told)
        printf("io_uring is not tested: %s\n", gw_status_text(status));
    is_told = is_told || status == GW_EUNSUPPORTED;
    where = WORKERS;
    spec.kind = GW_LOOP_POLL;
    if (status == GW_EUNSUPPORTED)
        status = gw_loop_new(engine, &spec, &loop);
    where = LIBRARY;
    MUST(status == GW_OK);
    listen_as(loop, "back", back, sizeof back);
    listen_as(loop, "by-h1", by_h1, sizeof by_h1);
    listen_as(loop, "by-h2", by_h2, sizeof by_h2);
    config = configure(env, back);
    MUST(gw_engine_apply(engine, config, NULL) == GW_OK);
    gw_config_unref(config);
    ask_loop(loop, by_h1, false);
    ask_loop(loop, by_h2, false);
    if (has_feature("h2=")) {
        ask_loop(loop, by_h1, true);
        ask_loop(loop, by_h2, true);
    }
    where = WORKERS;
    gw_loop_free(loop);
    where = LIBRARY;
}

/* ---- a life ---- */

static void live(int number)
{
    gw_env env = GW_SPEC(gw_env);
    gw_engine_spec spec = GW_SPEC(gw_engine_spec);
    gw_engine *engine = NULL;
    gw_config *config;

    env.allocator = (gw_allocator){ &shared, take, give };
    spec.env = &env;
    where = LIBRARY;
    load_file(&env);
    config = configure(&env, "127.0.0.1:1");
    MUST(gw_engine_new(&spec, &engine) == GW_OK);
    MUST(gw_engine_apply(engine, config, NULL) == GW_OK);
    gw_config_unref(config);
    serve_bytes(engine);
    serve_sockets(&env, engine, (uint32_t)number % KINDS); /* the best, then each of them */
    gw_engine_free(engine);
    where = NOWHERE;
    MUST(shared.live == 0 && shared.bytes == 0);
    MUST(own.live == 0 && own.bytes == 0);
}

static int descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int n = 0;

    MUST(folder != NULL);
    while (readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n;
}

/* Pieces of malloc that are out, whoever has them; without the host's own. */
static long pieces(void)
{
    long n = 0;

    for (int i = 0; i < PLACES; i++)
        n += asked[i] - given_back[i];
    return n;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 100, fds;
    long behind[PLACES], before, out;

    for (int i = 0; i < KINDS; i++)
        live(i);
    fds = descriptors();
    out = pieces();
    memcpy(behind, asked, sizeof behind);
    for (int i = 0; i < count; i++) {
        before = shared.calls + own.calls;
        live(i);
        MUST(shared.calls + own.calls > before);
    }
    MUST(descriptors() == fds);
    MUST(pieces() == out);
    for (int i = 0; i < PLACES; i++)
        behind[i] = asked[i] - behind[i];
    MUST(asked[LIBRARY] == 0 && given_back[LIBRARY] == 0);
    MUST(behind[WORKERS] <= (has_feature("h2=") ? 2 * 2 * (long)count : 0));
    MUST(has_feature("yaml") || behind[FILES] == 0);
    printf("%d lives: %d descriptors, %ld pieces of malloc out, as before; of malloc each took %ld "
           "for "
           "libnghttp2's tables, %ld for libyaml's parser, and 0 else\n",
           count, fds, out, count > 0 ? behind[WORKERS] / count : 0,
           count > 0 ? behind[FILES] / count : 0);
    return 0;
}
