/* proto/modes.c: every way to have libgw in a program, under one face: the simulator and each built-in
 * loop here, by a line each; the others in mode_*.c. */

#include "proto.h"

#include <poll.h>
#include <unistd.h>

#include "gw_features.h"

gw_worker_spec proto_worker_spec(struct proto *p)
{
    gw_worker_spec spec = GW_SPEC(gw_worker_spec);

    spec.seed = 1;
    spec.trace = p->log != NULL ? proto_trace : NULL;
    spec.trace_ctx = p;
    return spec;
}

gw_facts proto_facts(void)
{
    gw_facts facts = GW_SPEC(gw_facts);

    facts.peer = gw_cstr("127.0.0.1:33333");
    facts.local = gw_cstr("127.0.0.1:33333");
    return facts;
}

uint16_t proto_port(void)
{
    static uint32_t last;
    char digits[8];

    if (last == 0)
        last = 33333 + (uint32_t)getpid() % 30000;
    do {
        last = last < 65535 ? last + 1 : 33333;
        snprintf(digits, sizeof digits, "%u", last);
    } while (strpbrk(digits, "012") != NULL);
    return (uint16_t)last;
}

/* ---- the simulator ---- */

static bool start_sim(struct proto *p)
{
    gw_worker_spec worker = proto_worker_spec(p);

    worker.ops = &sim_io;
    worker.io = &p->sim;
    SIM_CHECK(&p->sim, gw_worker_new(p->sim.engine, &worker, &p->sim.worker) == GW_OK, "worker");
    return true;
}

static void turn_sim(struct proto *p, int wait_ms)
{
    (void)wait_ms;
    sim_mode_step(p);
}

static void stop_worker(struct proto *p)
{
    gw_worker_free(p->sim.worker);
}

static const struct proto_mode proto_sim = {
    .name = "sim",
    .start = start_sim,
    .turn = turn_sim,
    .stop = stop_worker,
};

/* ---- built-in loops ---- */

gw_loop_spec proto_loop_spec(struct proto *p, const gw_worker_spec *worker)
{
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);

    spec.worker = worker;
    spec.on_return = proto_on_return;
    spec.return_ctx = p;
    return spec;
}

static bool start_loop(struct proto *p)
{
    gw_worker_spec worker = proto_worker_spec(p);
    gw_loop_spec loop = proto_loop_spec(p, &worker);
    gw_status status;

    loop.kind = p->mode->kind;
    loop.flags = p->mode->flags;
    status = gw_loop_new(p->sim.engine, &loop, &p->loop);
    if (status == GW_EUNSUPPORTED && p->mode->kind == GW_LOOP_URING)
        return false; /* in this build, or of this kernel */
    SIM_CHECK(&p->sim, status == GW_OK, "loop: %s", gw_status_name(status));
    p->sim.worker = gw_loop_worker(p->loop);
    return true;
}

static void turn_loop(struct proto *p, int wait_ms)
{
    SIM_CHECK(&p->sim, gw_loop_run_once(p->loop, wait_ms) == GW_OK, "loop");
}

static void turn_when_due(struct proto *p, int wait_ms)
{
    if (loop_is_due(p, wait_ms))
        turn_loop(p, 0);
}

static void stop_loop(struct proto *p)
{
    gw_loop_free(p->loop);
}

uint16_t loop_listen(struct proto *p)
{
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    gw_listen_spec spec = GW_SPEC(gw_listen_spec);
    char address[64];
    gw_status status;
    uint16_t port;

    accept.listener = gw_cstr("edge");
    accept.flags = p->returns ? GW_ACCEPT_RETURN : 0;
    spec.accept = &accept;
    do {
        port = proto_port();
        snprintf(address, sizeof address, "127.0.0.1:%u", port);
        spec.address = gw_cstr(address);
        status = gw_loop_listen(p->loop, &spec, &p->listening);
    } while (status == GW_EREFUSED); /* somebody else has it */
    SIM_CHECK(&p->sim, status == GW_OK, "listen: %s", gw_status_name(status));
    return port;
}

void loop_unlisten(struct proto *p)
{
    gw_listener_close(p->listening);
}

void loop_adopt(struct proto *p, int fd, const gw_accept_spec *spec)
{
    SIM_CHECK(&p->sim, gw_loop_adopt(p->loop, fd, spec, NULL) == GW_OK, "adopt");
}

bool loop_is_due(struct proto *p, int wait_ms)
{
    struct pollfd fd = { .fd = gw_loop_fd(p->loop), .events = POLLIN };

    return poll(&fd, 1, wait_ms) == 1;
}

#define BUILT_IN_LOOP(NAME, KIND)                                                                  \
    {                                                                                              \
        .name = (NAME), .has_sockets = true, .kind = (KIND), .start = start_loop,                  \
        .listen = loop_listen, .turn = turn_loop, .unlisten = loop_unlisten, .adopt = loop_adopt,  \
        .stop = stop_loop                                                                          \
    }

static const struct proto_mode proto_loops[] = {
    BUILT_IN_LOOP("poll", GW_LOOP_POLL),
    BUILT_IN_LOOP("epoll", GW_LOOP_EPOLL),
    BUILT_IN_LOOP("io_uring", GW_LOOP_URING),
};

/* As in another loop, which has epoll by itself. */
static const struct proto_mode proto_uring_fd = {
    .name = "uring-fd",
    .has_sockets = true,
    .kind = GW_LOOP_URING,
    .flags = GW_LOOP_ONE_FD,
    .start = start_loop,
    .listen = loop_listen,
    .turn = turn_when_due,
    .unlisten = loop_unlisten,
    .adopt = loop_adopt,
    .stop = stop_loop,
};

const struct proto_mode *const proto_modes[] = {
    &proto_sim,
    &proto_bytes,
    &proto_own,
    &proto_loops[0],
    &proto_loops[1],
    &proto_loops[2],
    &proto_uring_fd,
    &proto_in_epoll,
    &proto_in_libuv,
    &proto_in_libevent,
    NULL,
};

const struct proto_mode *proto_mode_of(const char *name)
{
    for (int i = 0; proto_modes[i] != NULL; i++)
        if (strcmp(proto_modes[i]->name, name) == 0)
            return proto_modes[i];
    return NULL;
}

bool proto_is_absent(struct proto *p)
{
    (void)p;
    return false;
}

/* Tried with an engine that has no configuration. */
bool proto_mode_is_there(const struct proto_mode *mode)
{
    struct proto *p = calloc(1, sizeof *p);
    gw_engine_spec engine = GW_SPEC(gw_engine_spec);
    bool is_there;

    p->name = mode->name;
    p->mode = mode;
    SIM_CHECK(&p->sim, gw_engine_new(&engine, &p->sim.engine) == GW_OK, "engine");
    is_there = mode->start(p);
    if (is_there)
        mode->stop(p);
    gw_engine_free(p->sim.engine);
    free(p);
    return is_there;
}
