/* tests/embed/embedding_main.c: runs the pieces of docs/embedding.md, which embedding.py puts in front
 * of this text: a guard and an echo by the host, in mode 1 and in a loop beside the host's own. */

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "embedding: line %d: %s\n", __LINE__, #condition);                     \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static const char wanted[] = "POST /x HTTP/1.1\r\nHost: a\r\nX-Key: secret\r\n"
                             "Content-Length: 5\r\n\r\nhello";
static const char refused[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

static gw_config *make_config(gw_str *secret, const char *listener)
{
    gw_builder *builder = NULL;
    gw_config *config = NULL;
    gw_config_error error = GW_SPEC(gw_config_error);
    gw_listener_spec edge = { .size = sizeof edge, .name = gw_cstr(listener) };
    gw_route_spec all = { .size = sizeof all, .name = gw_cstr("all"), .cluster = gw_cstr("echo") };

    MUST(gw_builder_new(NULL, &builder) == GW_OK);
    gw_builder_listener(builder, &edge);
    add_guard(builder, secret);
    add_echo(builder);
    gw_builder_route(builder, &all);
    MUST(gw_builder_build(builder, &config, &error) == GW_OK);
    return config;
}

static gw_engine *make_engine(gw_str *secret)
{
    gw_engine *engine = NULL;
    gw_config *config = make_config(secret, "edge");
    gw_engine_spec spec = { .size = sizeof spec, .workers_max = 2 };

    MUST(gw_engine_new(&spec, &engine) == GW_OK);
    MUST(gw_engine_apply(engine, config, NULL) == GW_OK);
    gw_config_unref(config);
    return engine;
}

/* Mode 1: everything that the library wants to send, as text. */
static void take_output(gw_worker *w, gw_nanos now, gw_link *link, char *out, size_t max)
{
    gw_notice notice = GW_SPEC(gw_notice);
    size_t len = 0;
    gw_const_span span;

    for (int turn = 0; turn < 20; turn++) {
        while (gw_worker_step(w, now) == GW_AGAIN) {
        }
        while (gw_bytes_next(w, &notice)) {
        }
        while (gw_link_unsent(link, &span, 1) == 1) {
            MUST(len + span.len < max);
            memcpy(out + len, span.ptr, span.len);
            len += span.len;
            gw_link_sent(link, span.len, GW_OK);
        }
    }
    out[len] = 0;
}

static void converse(gw_engine *engine, const char *request, const char *first, const char *part)
{
    gw_worker_spec spec = { .size = sizeof spec, .seed = 1 };
    gw_accept_spec accept = { .size = sizeof accept, .listener = gw_cstr("edge") };
    gw_worker *w = NULL;
    gw_link *link = NULL;
    gw_span room;
    char out[4096];
    size_t len = strlen(request);

    MUST(gw_worker_new(engine, &spec, &w) == GW_OK);
    MUST(gw_worker_step(w, 1) == GW_OK);
    MUST(gw_worker_accept(w, &accept, &link) == GW_OK);
    MUST(gw_worker_step(w, 2) == GW_OK);
    MUST(gw_link_want(link) & GW_WANT_READ);
    MUST(gw_link_room(link, &room, 1) == 1 && room.len >= len);
    memcpy(room.ptr, request, len);
    gw_link_received(link, len, GW_AGAIN);
    take_output(w, 3, link, out, sizeof out);
    MUST(strncmp(out, first, strlen(first)) == 0);
    MUST(strstr(out, part) != NULL);
    gw_worker_free(w);
}

struct beside {
    gw_loop *loop;
    int own_fd;
};

static void *run_beside(void *given)
{
    struct beside *beside = given;
    MUST(serve_beside(beside->loop, beside->own_fd) == GW_OK);
    return NULL;
}

static void converse_in_a_loop(gw_engine *engine)
{
    gw_loop_spec spec = { .size = sizeof spec, .flags = GW_LOOP_ONE_FD };
    gw_accept_spec accept = { .size = sizeof accept, .listener = gw_cstr("edge") };
    struct beside beside = { .loop = NULL };
    int pair[2], own[2];
    pthread_t thread;
    char answer[4096];
    size_t len = 0;

    MUST(gw_loop_new(engine, &spec, &beside.loop) == GW_OK);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(own) == 0);
    beside.own_fd = own[0];
    MUST(gw_loop_adopt(beside.loop, pair[0], &accept, NULL) == GW_OK);
    MUST(write(pair[1], wanted, strlen(wanted)) == (ssize_t)strlen(wanted));
    MUST(pthread_create(&thread, NULL, run_beside, &beside) == 0);
    do {
        ssize_t got = read(pair[1], answer + len, sizeof answer - 1 - len);
        MUST(got > 0);
        len += (size_t)got;
        answer[len] = 0;
    } while (!strstr(answer, "hello"));
    MUST(strncmp(answer, "HTTP/1.1 200", 12) == 0);
    MUST(write(own[1], "x", 1) == 1);
    MUST(pthread_join(thread, NULL) == 0);
    gw_loop_free(beside.loop);
    close(pair[1]);
    close(own[0]);
    close(own[1]);
}

static void *run_to_the_end(void *loop)
{
    MUST(gw_loop_run(loop) == GW_OK);
    return NULL;
}

/* Another listener and the configuration that knows it, while the loop runs. */
static void change_in_passing(gw_engine *engine, gw_str *secret)
{
    gw_loop_spec spec = { .size = sizeof spec };
    gw_config *config = make_config(secret, "more");
    struct arrival arrival = { .listener = gw_cstr("more") };
    char path[64], answer[4096] = "";
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    gw_loop *loop = NULL;
    pthread_t thread;
    size_t len = 0;
    int client = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(path, sizeof path, "unix:/tmp/gw-embedding.%ld", (long)getpid());
    memcpy(at.sun_path, path + 5, strlen(path + 5) + 1);
    MUST(gw_loop_new(engine, &spec, &loop) == GW_OK);
    MUST(pthread_create(&thread, NULL, run_to_the_end, loop) == 0);
    MUST(change(engine, loop, config, &arrival, gw_cstr("not an address")) == GW_EINVAL);
    MUST(change(engine, loop, config, &arrival, gw_cstr(path)) == GW_OK);
    gw_config_unref(config);
    MUST(connect(client, (const struct sockaddr *)&at, sizeof at) == 0);
    MUST(write(client, wanted, strlen(wanted)) == (ssize_t)strlen(wanted));
    while (!strstr(answer, "hello")) {
        ssize_t got = read(client, answer + len, sizeof answer - 1 - len);
        MUST(got > 0);
        len += (size_t)got;
        answer[len] = 0;
    }
    gw_loop_stop(loop);
    MUST(pthread_join(thread, NULL) == 0);
    MUST(arrival.status == GW_OK);
    gw_loop_free(loop);
    close(client);
    unlink(path + 5);
}

/* Memory comes from the host, all of it goes back, and what cannot fit is refused before it begins. */
static void with_own_memory(gw_str *secret)
{
    gw_limits limits = { .size = sizeof limits,
                         .blocks_max = 64,
                         .links_max = 8,
                         .h2_links_max = GW_OFF,
                         .exchanges_max = 16 };
    struct purse purse = { .most = 64 << 20 }, small = { .most = 1 << 20 };
    gw_config *config = make_config(secret, "edge");
    gw_engine *engine = NULL;

    MUST(make_bounded(&small, &limits, &engine) == GW_ELIMIT && !engine && small.taken == 0);
    MUST(make_bounded(&purse, &limits, &engine) == GW_OK);
    MUST(gw_engine_apply(engine, config, NULL) == GW_OK);
    gw_config_unref(config);
    converse(engine, wanted, "HTTP/1.1 200", "hello");
    MUST(purse.taken > 0);
    gw_engine_free(engine);
    MUST(purse.taken == 0);
}

int main(void)
{
    gw_str secret = gw_cstr("secret");
    gw_engine *engine = make_engine(&secret);
    gw_loop *loop = NULL;

    converse(engine, wanted, "HTTP/1.1 200", "hello");
    converse(engine, refused, "HTTP/1.1 401", "no key\n");
    converse_in_a_loop(engine);
    change_in_passing(engine, &secret);
    with_own_memory(&secret);
    MUST(serve(engine, gw_cstr("no address"), &loop) == GW_EINVAL);
    gw_loop_free(loop);
    gw_engine_free(engine);
    return 0;
}
