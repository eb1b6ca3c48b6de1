/* unit/handback_loop_test.c: the built-in loops give connections back as descriptors and take them again,
 * under a client that mixes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handback_suites.h"
#include "kinds.h"
#include "mode1.h"

struct site {
    struct test_alloc alloc;
    gw_engine *engine;
    gw_loop *loop;
    int client; /* the client's end */
    int fd;     /* the host's, while it has it; -1 */
    bool again_at_once;
    char buffer[4096];
    size_t have;
    char out[8192]; /* what the client got */
    size_t out_len;
    int returns, not_ours; /* requests that the host must not see */
};

static gw_config *make_config(const struct site *s)
{
    gw_env env = GW_SPEC(gw_env);
    gw_listener_spec listener = GW_SPEC(gw_listener_spec);
    gw_route_spec own = GW_SPEC(gw_route_spec);
    gw_config *config;
    gw_builder *b;

    env.allocator = s->alloc.allocator;
    ck_assert_int_eq(gw_builder_new(&env, &b), GW_OK);
    listener.name = gw_cstr("edge");
    gw_builder_listener(b, &listener);
    own.name = own.path = gw_cstr("/own");
    own.reply_code = 200;
    own.reply_body = gw_cstr("own\n");
    gw_builder_route(b, &own);
    ck_assert_int_eq(gw_builder_build(b, &config, NULL), GW_OK);
    return config;
}

static void hand_over(struct site *s)
{
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    int fd = s->fd;

    accept.listener = gw_cstr("edge");
    accept.flags = GW_ACCEPT_RETURN;
    accept.early = (gw_const_span){ s->buffer, s->have };
    accept.user = s;
    s->fd = -1;
    s->have = 0;
    ck_assert_int_eq(gw_loop_adopt(s->loop, fd, &accept, NULL), GW_OK);
}

/* Answers what is the host's, as far as it has come; true: another's request follows. */
static bool serve(struct site *s)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhost\n";

    for (;;) {
        const char *end = memmem(s->buffer, s->have, "\r\n\r\n", 4);
        size_t n;
        if (end == NULL)
            return false;
        if (memcmp(s->buffer, "GET /host", 9) != 0)
            return true;
        n = (size_t)(end - s->buffer) + 4;
        memmove(s->buffer, s->buffer + n, s->have - n);
        s->have -= n;
        ck_assert_int_eq(write(s->fd, answer, sizeof answer - 1), sizeof answer - 1);
    }
}

static void on_return(void *ctx, gw_link *link, int fd)
{
    struct site *s = ctx;
    gw_const_span spans[16];
    size_t n = gw_link_unread(link, spans, 16);

    ck_assert_ptr_eq(gw_link_user(link), s);
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_uint_gt(n, 0);
    ck_assert_uint_le(n, 16);
    s->returns++;
    s->fd = fd;
    for (size_t i = 0; i < n; i++) {
        memcpy(s->buffer + s->have, spans[i].ptr, spans[i].len);
        s->have += spans[i].len;
    }
    s->not_ours += memcmp(s->buffer, "GET /host", 9) != 0;
    if (serve(s) && s->again_at_once)
        hand_over(s);
}

static void turn(struct site *s)
{
    ssize_t got;

    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(gw_loop_run_once(s->loop, 0), GW_OK);
    if (s->fd >= 0) {
        got = read(s->fd, s->buffer + s->have, sizeof s->buffer - s->have);
        s->have += got > 0 ? (size_t)got : 0;
        if (serve(s))
            hand_over(s);
    }
    while ((got = recv(s->client, s->out + s->out_len, sizeof s->out - 1 - s->out_len,
                       MSG_DONTWAIT)) > 0)
        s->out_len += (size_t)got;
}

static void start(struct site *s, uint32_t kind)
{
    gw_env env = GW_SPEC(gw_env);
    gw_engine_spec engine = GW_SPEC(gw_engine_spec);
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    gw_config *config;
    int ends[2];

    memset(s, 0, sizeof *s);
    test_alloc_init(&s->alloc);
    config = make_config(s);
    env.allocator = s->alloc.allocator;
    engine.env = &env;
    ck_assert_int_eq(gw_engine_new(&engine, &s->engine), GW_OK);
    ck_assert_int_eq(gw_engine_apply(s->engine, config, NULL), GW_OK);
    gw_config_unref(config);
    spec.kind = kind;
    spec.on_return = on_return;
    spec.return_ctx = s;
    ck_assert_int_eq(gw_loop_new(s->engine, &spec, &s->loop), GW_OK);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    s->client = ends[0];
    s->fd = ends[1];
}

static void stop(struct site *s)
{
    close(s->client);
    if (s->fd >= 0)
        close(s->fd);
    turn(s);
    ck_assert(gw_worker_is_idle(gw_loop_worker(s->loop)));
    gw_loop_free(s->loop);
    gw_engine_free(s->engine);
    test_alloc_fini(&s->alloc);
}

#define OWN "GET /own HTTP/1.1\r\nHost: a\r\n\r\n"
#define HOSTS "GET /host HTTP/1.1\r\nHost: a\r\n\r\n"

START_TEST(a_client_mixes)
{
    static const char text[] = OWN HOSTS HOSTS OWN OWN HOSTS OWN;
    static struct site s;
    static const size_t cuts[] = { sizeof text, 1, 2, 7, 28, 29, 30, 31, 40, 61, 100 };

    for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
        const char *at;
        int turns = 0;
        start(&s, kinds[_i / 2]);
        s.again_at_once = _i % 2 != 0;
        hand_over(&s);
        for (size_t sent = 0; sent < sizeof text - 1;) {
            size_t n = cuts[c] < sizeof text - 1 - sent ? cuts[c] : sizeof text - 1 - sent;
            ck_assert_int_eq(write(s.client, text + sent, n), (ssize_t)n);
            sent += n;
            turn(&s);
        }
        while (turns++ < 10)
            turn(&s);
        at = s.out;
        for (const char *who = "own host host own own host own"; who != NULL;) {
            at = strstr(at, "\r\n\r\n");
            ck_assert_msg(at != NULL, "%s", s.out);
            at += 4;
            ck_assert_msg(memcmp(at, who, 3) == 0, "%s", s.out);
            who = strchr(who, ' ');
            who = who != NULL ? who + 1 : NULL;
        }
        ck_assert_int_eq(s.returns, 2);
        ck_assert_int_eq(s.not_ours, 0);
        stop(&s);
    }
}
END_TEST

/* Of connections that the loop has accepted itself. */
START_TEST(a_listener_gives_them_back_too)
{
    static const char text[] = OWN HOSTS OWN HOSTS;
    static struct site s;
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    gw_listen_spec listen = { .size = sizeof listen, .accept = &accept };
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    char address[64] = { 0 };
    gw_listener *listener;

    start(&s, kinds[_i]);
    close(s.fd);
    close(s.client);
    s.fd = -1;
    accept.listener = gw_cstr("edge");
    accept.flags = GW_ACCEPT_RETURN;
    accept.user = &s;
    listen.address = gw_cstr("127.0.0.1:0");
    ck_assert_int_eq(gw_loop_listen(s.loop, &listen, &listener), GW_OK);
    ck_assert_uint_gt(gw_listener_address(listener, address, sizeof address), 0);
    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    s.client = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(s.client, (struct sockaddr *)&to, sizeof to), 0);
    ck_assert_int_eq(write(s.client, text, sizeof text - 1), (ssize_t)sizeof text - 1);
    for (int i = 0; i < 5000 && s.returns < 2; i++) {
        ck_assert_int_eq(gw_loop_run_once(s.loop, 1), GW_OK);
        turn(&s);
    }
    ck_assert_int_eq(s.returns, 2);
    ck_assert_int_eq(s.not_ours, 0);
    stop(&s);
}
END_TEST

/* Who could not take it back is not asked to. */
START_TEST(somebody_must_take_it)
{
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    gw_listen_spec listen = { .size = sizeof listen, .accept = &accept };
    static struct site s;
    gw_loop *loop;
    int fd;

    start(&s, kinds[_i]);
    spec.kind = kinds[_i];
    gw_loop_free(s.loop);
    ck_assert_int_eq(gw_loop_new(s.engine, &spec, &loop), GW_OK);
    accept.listener = gw_cstr("edge");
    accept.flags = GW_ACCEPT_RETURN;
    listen.address = gw_cstr("127.0.0.1:0");
    ck_assert_int_eq(gw_loop_adopt(loop, s.fd, &accept, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_loop_listen(loop, &listen, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_listen_open(&listen, &fd), GW_OK);
    ck_assert_int_eq(gw_loop_listen_fd(loop, fd, &listen, NULL), GW_EINVAL);
    close(fd);
    accept.flags = 0;
    ck_assert_int_eq(gw_loop_adopt(loop, s.fd, &accept, NULL), GW_OK);
    close(s.client);
    gw_loop_free(loop);
    gw_engine_free(s.engine);
    test_alloc_fini(&s.alloc);
}
END_TEST

Suite *handback_loop_suite(void)
{
    Suite *suite = suite_create("handback_loop");
    int n = kinds_here();

    check_add_loop(suite, a_client_mixes, 0, 2 * n);
    check_add_loop(suite, a_listener_gives_them_back_too, 0, n);
    check_add_loop(suite, somebody_must_take_it, 0, n);
    return suite;
}
