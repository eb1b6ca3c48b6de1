/* auth_filter.c: a gateway that asks somebody else before it lets a request through.
 *     auth_filter 127.0.0.1:8080 127.0.0.1:9000 127.0.0.1:7000     listen, upstream, policy service
 * The policy service is asked "METHOD PATH TOKEN\n", the token being what the client sent as
 * "Authorization: Bearer TOKEN", and says "allow USER\n", or anything else, or nothing. Threads ask it,
 * which may block; the gateway never does: the request waits, by its ticket, and the others go on. What
 * is allowed is forwarded with x-user; the rest is answered 403 in JSON. SIGTERM: it ends at once. */
#include <arpa/inet.h>
#include <err.h>
#include <gw/gw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ASKERS = 8, PATIENCE_S = 5 };

/* One question: from the hook to an asker, and back with the answer. */
struct question {
    struct question *next;
    gw_ticket ticket;
    char text[1024], user[64]; /* user: empty: not allowed */
};

static struct {
    struct sockaddr_in policy;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct question *first, **last;
    bool is_over;
} desk = { .lock = PTHREAD_MUTEX_INITIALIZER,
           .more = PTHREAD_COND_INITIALIZER,
           .last = &desk.first };

/* ---- threads that ask ---- */

static void ask(struct question *q)
{
    char answer[128] = "", end[2], more[2];
    struct timeval patience = { .tv_sec = PATIENCE_S };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)&desk.policy, sizeof desk.policy) == 0 &&
        send(fd, q->text, strlen(q->text), MSG_NOSIGNAL) > 0 &&
        recv(fd, answer, sizeof answer - 1, MSG_WAITALL) > 0 && /* until it ends */
        (strncmp(answer, "allow ", 6) != 0 ||
         sscanf(answer + 6, "%63[!-~]%1[\n]%1s", q->user, end, more) != 2))
        q->user[0] = '\0'; /* it is not just what allows, to its last byte */
    (void)close(fd);
}

static struct question *next_question(void)
{
    pthread_mutex_lock(&desk.lock);
    while (desk.first == NULL && !desk.is_over)
        pthread_cond_wait(&desk.more, &desk.lock);
    struct question *q = desk.first;
    if (q != NULL && (desk.first = q->next) == NULL)
        desk.last = &desk.first;
    pthread_mutex_unlock(&desk.lock);
    return q;
}

static void *answer_questions(void *unused)
{
    for (struct question *q; (q = next_question()) != NULL;) {
        ask(q);
        if (gw_resume(q->ticket, q) != GW_OK) /* else it is on_resume's now */
            free(q);
    }
    return unused;
}

static void put_question(struct question *q)
{
    pthread_mutex_lock(&desk.lock);
    *desk.last = q;
    desk.last = &q->next;
    pthread_cond_signal(&desk.more);
    pthread_mutex_unlock(&desk.lock);
}

/* ---- the filter: these run in the gateway's thread ---- */

static gw_verdict forbid(gw_exchange *x)
{
    gw_reply reply = { .size = sizeof reply,
                       .code = 403,
                       .type = gw_cstr("application/json"),
                       .body = gw_cstr("{\"error\":\"forbidden\"}") };
    return gw_exchange_reply(x, &reply) == GW_OK ? GW_REPLY : GW_ABORT;
}

static gw_verdict on_request(void *ctx, gw_exchange *x)
{
    gw_message *request = gw_exchange_request(x);
    gw_str method = gw_message_part(request, GW_PART_METHOD);
    gw_str path = gw_message_part(request, GW_PART_PATH);
    gw_str token = gw_message_field(request, gw_cstr("authorization"));
    struct question *q = calloc(1, sizeof *q);
    (void)ctx;
    (void)gw_message_drop_field(request, gw_cstr("x-user")); /* only we may say who it is */
    if (q == NULL)
        return GW_ABORT;
    int len = snprintf(q->text, sizeof q->text, "%.*s %.*s %.*s\n", (int)method.len, method.ptr,
                       (int)path.len, path.ptr, token.len > 7 ? (int)token.len - 7 : 0,
                       token.len > 7 ? token.ptr + 7 : "");
    if (token.len <= 7 || strncmp(token.ptr, "Bearer ", 7) != 0 || len >= (int)sizeof q->text) {
        free(q);
        return forbid(x);
    }
    q->ticket = gw_exchange_wait(x); /* without memory it is none, and GW_WAIT cuts it off */
    if (q->ticket.worker != NULL)
        put_question(q);
    else
        free(q);
    return GW_WAIT;
}

/* Once for each question that was answered in time, in the gateway's thread again. */
static gw_verdict on_resume(void *ctx, gw_exchange *x, uint32_t side, void *answer)
{
    struct question *q = answer;
    gw_str name = gw_cstr("x-user"), user = gw_cstr(q->user);
    gw_verdict verdict = user.len == 0 ? forbid(x) : GW_NEXT;
    (void)ctx;
    (void)side;
    if (user.len > 0 && gw_message_set_field(gw_exchange_request(x), name, user) != GW_OK)
        verdict = GW_ABORT;
    free(q);
    return verdict;
}

static gw_config *configure(const char *upstream)
{
    gw_builder *builder;
    gw_config *config;
    gw_listener_spec edge = { .size = sizeof edge, .name = gw_cstr("edge") };
    gw_cluster_spec app = { .size = sizeof app, .name = gw_cstr("app") };
    gw_endpoint_spec one = { .size = sizeof one, .address = gw_cstr(upstream) };
    gw_route_spec all = { .size = sizeof all, .name = gw_cstr("all"), .cluster = gw_cstr("app") };
    gw_filter auth = {
        .size = sizeof auth, .name = "auth", .on_request = on_request, .on_resume = on_resume
    };
    if (gw_builder_new(NULL, &builder) != GW_OK)
        return NULL;
    gw_builder_listener(builder, &edge); /* what is wrong here, build reports */
    gw_builder_endpoint(builder, gw_builder_cluster(builder, &app), &one);
    gw_builder_route(builder, &all);
    gw_builder_filter(builder, &auth);
    return gw_builder_build(builder, &config, NULL) == GW_OK ? config : NULL;
}

static gw_loop *loop; /* for the signal handler */
static void stop(int number)
{
    (void)number;
    gw_loop_stop(loop); /* made for handlers, too */
}

int main(int argc, char **argv)
{
    gw_engine *engine = NULL;
    gw_engine_spec shared = GW_SPEC(gw_engine_spec);
    gw_loop_spec best = GW_SPEC(gw_loop_spec);
    gw_accept_spec accept = { .size = sizeof accept, .listener = gw_cstr("edge") };
    gw_listen_spec at = { .size = sizeof at, .address = gw_cstr(argv[1]), .accept = &accept };
    gw_address policy;
    pthread_t askers[ASKERS];
    gw_config *config = argc == 4 ? configure(argv[2]) : NULL;
    if (config == NULL || gw_address_parse(gw_cstr(argv[3]), &policy) != GW_OK ||
        policy.kind != GW_ADDRESS_IPV4)
        errx(2, "usage: auth_filter LISTEN UPSTREAM POLICY (numeric IPv4 addresses with ports)");
    desk.policy.sin_family = AF_INET;
    desk.policy.sin_port = htons((uint16_t)policy.port);
    memcpy(&desk.policy.sin_addr, policy.ip, 4);
    if (gw_engine_new(&shared, &engine) != GW_OK ||
        gw_engine_apply(engine, config, NULL) != GW_OK ||
        gw_loop_new(engine, &best, &loop) != GW_OK || gw_loop_listen(loop, &at, NULL) != GW_OK)
        errx(1, "it cannot start: is %s free?", argv[1]);
    for (int i = 0; i < ASKERS; i++)
        if (pthread_create(&askers[i], NULL, answer_questions, NULL) != 0)
            errx(1, "no thread");
    (void)signal(SIGTERM, stop);
    fprintf(stderr, "listening on %s\n", argv[1]);
    gw_loop_run(loop);
    pthread_mutex_lock(&desk.lock);
    desk.is_over = true;
    pthread_cond_broadcast(&desk.more);
    pthread_mutex_unlock(&desk.lock);
    for (int i = 0; i < ASKERS; i++)
        pthread_join(askers[i], NULL); /* tickets are good while the worker lives */
    gw_loop_free(loop);
    gw_engine_free(engine);
    gw_config_unref(config);
}
