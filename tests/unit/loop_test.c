/* The loops over real sockets, with a machine in place of the worker
 * (fake_worker.h), each test once with each kind of loop. The system calls that matter are counted:
 * this program has its own recv, send, sendmsg, readv, epoll_ctl, clock_gettime and timerfd_settime,
 * which pass on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gw/loop.h>

#include "alloc.h"
#include "check_main.h"
#include "fake_worker.h"
#include "gw_features.h"
#include "kinds.h"
#include "loop/loop.h"
#include "loop_suites.h"

/* Counting. */

static atomic_uint recvs, sends, ctls, clocks, alarms;
static atomic_int fail_ctl; /* the n-th epoll_ctl from now fails */

ssize_t recv(int fd, void *out, size_t len, int flags)
{
    recvs++;
    return syscall(SYS_recvfrom, fd, out, len, flags, NULL, NULL);
}
ssize_t readv(int fd, const struct iovec *v, int n)
{
    recvs++;
    return syscall(SYS_readv, fd, v, n);
}
ssize_t send(int fd, const void *in, size_t len, int flags)
{
    sends++;
    return syscall(SYS_sendto, fd, in, len, flags, NULL, 0);
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    sends++;
    return syscall(SYS_sendmsg, fd, message, flags);
}
int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    ctls++;
    if (fail_ctl > 0 && --fail_ctl == 0) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);
}
int clock_gettime(clockid_t id, struct timespec *out)
{
    clocks++;
    return (int)syscall(SYS_clock_gettime, id, out);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
    alarms++;
    return (int)syscall(SYS_timerfd_settime, fd, flags, when, old);
}

/* Those of liburing that are made to fail: each answers so once, at the n-th call from now. */
struct io_uring;
struct io_uring_params;
static atomic_uint submits;
static atomic_int fail_submit, fail_setup;
static int setup_error;

static bool fails(atomic_int *at)
{
    return *at > 0 && --*at == 0;
}

/* The library's own, behind this program's. */
static void find(const char *name, void *function)
{
    void *found = dlsym(RTLD_NEXT, name);
    ck_assert_ptr_nonnull(found);
    memcpy(function, &found, sizeof(found));
}
int io_uring_submit(struct io_uring *ring);
int io_uring_submit(struct io_uring *ring)
{
    int (*real)(struct io_uring *);
    submits++;
    if (fails(&fail_submit))
        return -ENOMEM;
    find("io_uring_submit", &real);
    return real(ring);
}
int io_uring_queue_init_params(unsigned n, struct io_uring *ring, struct io_uring_params *params);
int io_uring_queue_init_params(unsigned n, struct io_uring *ring, struct io_uring_params *params)
{
    int (*real)(unsigned, struct io_uring *, struct io_uring_params *);
    if (fails(&fail_setup))
        return -setup_error;
    void *found = dlsym(RTLD_NEXT, "io_uring_queue_init_params");
    memcpy(&real, &found, sizeof(found));
    return found != NULL ? real(n, ring, params) : -ENOSYS;
}

/* A loop, its machine, its listener. */

struct bench {
    struct gw_engine engine;
    gw_loop *loop;
    gw_worker *worker;
    gw_listener *listener;
    char address[128];
    gw_accept_spec accept;
};

/* Asked of the poller alone: no test runs yet. */
static int kinds_of_system(void)
{
    struct test_alloc alloc;
    struct gw_loop loop = { .poller = &gw_poller_uring, .fd = -1 };
    test_alloc_init(&alloc);
    gw_heap_init(&loop.heap, &alloc.allocator, 0);
    gw_status status = loop.poller->open(&loop);
    loop.poller->close(&loop);
    return kinds_after(status);
}

static void bench_listen(struct bench *b, const char *address)
{
    gw_listen_spec spec = GW_SPEC(gw_listen_spec);
    b->accept = GW_SPEC(gw_accept_spec);
    b->accept.listener = gw_cstr("front");
    spec.address = gw_cstr(address);
    spec.accept = &b->accept;
    ck_assert_int_eq(gw_loop_listen(b->loop, &spec, &b->listener), GW_OK);
    size_t len = gw_listener_address(b->listener, b->address, sizeof(b->address) - 1);
    ck_assert_uint_gt(len, 0);
    b->address[len] = '\0';
}

static void bench_init(struct bench *b, int kind)
{
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    memset(b, 0, sizeof(*b));
    fake_engine_init(&b->engine);
    spec.kind = kinds[kind];
    ck_assert_int_eq(gw_loop_new(&b->engine, &spec, &b->loop), GW_OK);
    b->worker = gw_loop_worker(b->loop);
    ck_assert_ptr_eq(b->worker, b->engine.worker);
    ck_assert_str_eq(gw_loop_name(b->loop), kind_names[kind]);
    bench_listen(b, "127.0.0.1:0");
}

static void bench_fini(struct bench *b)
{
    gw_loop_free(b->loop);
}

static void turn(struct bench *b)
{
    gw_status status = gw_loop_run_once(b->loop, 20);
    ck_assert(status == GW_OK || status == GW_EOF);
}

/* Turns until nothing is due at once. */
static void settle(struct bench *b)
{
    for (int i = 0; i < 1000; i++) {
        turn(b);
        if (gw_loop_timeout_ms(b->loop) != 0)
            return;
    }
    ck_abort_msg("the loop does not come to rest");
}

/* Clients: blocking but for what the test says. */

static int dial(const char *address)
{
    gw_address a;
    int fd;
    bool is_pending;
    ck_assert_int_eq(gw_address_parse(gw_cstr(address), &a), GW_OK);
    ck_assert_int_eq(gw_socket_connect(&a, &fd, &is_pending), GW_OK);
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    ck_assert_int_eq(poll(&p, 1, 10000), 1);
    ck_assert_int_eq(gw_socket_connected(fd), GW_OK);
    return fd;
}

static void put(int fd, const void *bytes, size_t len)
{
    ck_assert_int_eq(syscall(SYS_sendto, fd, bytes, len, MSG_NOSIGNAL, NULL, 0), (long)len);
}

/* Reads exactly len bytes, turning the loop; fewer: the end came. */
static size_t pull(struct bench *b, int fd, char *out, size_t len)
{
    size_t got = 0;
    for (int i = 0; got < len && i < 100000; i++) {
        long n = syscall(SYS_recvfrom, fd, out + got, len - got, MSG_DONTWAIT, NULL, NULL);
        if (n > 0)
            got += (size_t)n;
        else if (n == 0 || errno != EAGAIN)
            break;
        else
            turn(b);
    }
    return got;
}

static void echo_once(struct bench *b, int fd, const char *text)
{
    char back[256];
    size_t len = strlen(text);
    put(fd, text, len);
    ck_assert_uint_eq(pull(b, fd, back, len), len);
    ck_assert_mem_eq(back, text, len);
}

static void pattern(char *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(i * 7 + i / 251);
}

/* Tests. */

START_TEST(echoes)
{
    struct bench b;
    bench_init(&b, _i);
    int first = dial(b.address), second = dial(b.address);
    for (int i = 0; i < 50; i++) {
        echo_once(&b, first, "hello");
        echo_once(&b, second, "world, again");
    }
    ck_assert_uint_eq(b.worker->accepted, 2);
    ck_assert_str_eq(b.worker->listener, "front");
    struct gw_link *l = fake_first_link(b.worker);
    ck_assert_int_eq(l->last_result, GW_AGAIN); /* what was there is taken */
    ck_assert_str_eq(l->local_name, b.address);
    ck_assert_mem_eq(l->peer_name, "127.0.0.1:", 10);
    ck_assert_str_ne(l->peer_name, b.address);
    close(first);
    close(second);
    for (int i = 0; i < 100 && b.worker->closed < 2; i++)
        turn(&b);
    ck_assert_uint_eq(b.worker->closed, 2);
    bench_fini(&b);
}
END_TEST

/* The shape that speed depends on: one recv and one send a message and hop. */
START_TEST(calls_per_message)
{
    struct bench front, origin;
    enum { MESSAGES = 100 };
    char back[8];
    bench_init(&origin, _i);
    bench_init(&front, _i);
    front.worker->target = origin.address;
    int fd = dial(front.address);
    for (int round = 0; round < 2; round++) {
        if (round == 1)
            recvs = sends = ctls = clocks = 0;
        for (int i = 0; i < MESSAGES; i++) {
            size_t got = 0;
            put(fd, "request", 7);
            while (got < 7) {
                ck_assert_int_eq(gw_loop_run_once(front.loop, 0), GW_OK);
                ck_assert_int_eq(gw_loop_run_once(origin.loop, 0), GW_OK);
                long n = syscall(SYS_recvfrom, fd, back, 7 - got, MSG_DONTWAIT, NULL, NULL);
                got += n > 0 ? (size_t)n : 0;
            }
        }
    }
    /* front: 2 and 2; origin: 1 and 1. */
    ck_assert_uint_eq(recvs, 3 * MESSAGES);
    ck_assert_uint_eq(sends, 3 * MESSAGES);
    ck_assert_uint_eq(ctls, 0);
    close(fd);
    bench_fini(&front);
    bench_fini(&origin);
}
END_TEST

START_TEST(one_clock_a_turn)
{
    struct bench b;
    bench_init(&b, _i);
    int fd = dial(b.address);
    echo_once(&b, fd, "x");
    settle(&b);
    clocks = 0;
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(gw_loop_run_once(b.loop, 0), GW_OK);
    ck_assert_uint_eq(clocks, 10);
    close(fd);
    bench_fini(&b);
}
END_TEST

/* Several rooms a read, several spans a send. */
START_TEST(bulk_fills_rooms)
{
    struct bench b;
    static char bytes[32768], back[32768];
    bench_init(&b, _i);
    int fd = dial(b.address);
    echo_once(&b, fd, "x");
    settle(&b);
    pattern(bytes, sizeof(bytes));
    put(fd, bytes, sizeof(bytes));
    recvs = sends = 0;
    ck_assert_uint_eq(pull(&b, fd, back, sizeof(back)), sizeof(back));
    ck_assert_mem_eq(back, bytes, sizeof(back));
    ck_assert_uint_le(recvs, 4); /* all of 8 rooms, and what is left */
    ck_assert_uint_le(sends, 4);
    close(fd);
    bench_fini(&b);
}
END_TEST

/* The client does not read until everything is stuck, then reads all. */
START_TEST(stalled_reader)
{
    struct bench b;
    enum { TOTAL = 16 << 20 };
    static char piece[65536], back[65536], want[65536];
    size_t sent = 0, got = 0;
    bench_init(&b, _i);
    int fd = dial(b.address);
    pattern(piece, sizeof(piece));
    memcpy(want, piece, sizeof(want));
    for (int still = 0; sent < TOTAL && still < 20;) {
        size_t at = sent % sizeof(piece);
        long n = syscall(SYS_sendto, fd, piece + at, sizeof(piece) - at,
                         MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
        still = n > 0 ? 0 : still + 1;
        sent += n > 0 ? (size_t)n : 0;
        ck_assert_int_eq(gw_loop_run_once(b.loop, 0), GW_OK);
    }
    ck_assert_uint_gt(sent, 0);
    ck_assert(fake_first_link(b.worker)->is_send_pending);
    ck_assert_int_ne(gw_loop_timeout_ms(b.loop), 0); /* it waits, it does not spin */
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    for (int i = 0; i < 1000000; i++) {
        size_t at = got % sizeof(want);
        long n = syscall(SYS_recvfrom, fd, back, sizeof(want) - at, MSG_DONTWAIT, NULL, NULL);
        if (n == 0)
            break;
        if (n > 0) {
            ck_assert_mem_eq(back, want + at, (size_t)n);
            got += (size_t)n;
        } else {
            turn(&b);
        }
    }
    ck_assert_uint_eq(got, sent);
    close(fd);
    bench_fini(&b);
}
END_TEST

START_TEST(half_close)
{
    struct bench b;
    char back[8];
    bench_init(&b, _i);
    int fd = dial(b.address);
    put(fd, "last", 4);
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    ck_assert_uint_eq(pull(&b, fd, back, sizeof(back)), 4); /* then the end */
    ck_assert_int_eq(b.worker->last_read_status, GW_EOF);
    close(fd);
    settle(&b);
    ck_assert(gw_worker_is_idle(b.worker));
    bench_fini(&b);
}
END_TEST

/* The end that comes together with the last bytes is not missed: all in one edge. */
START_TEST(end_with_bytes)
{
    struct bench b;
    bench_init(&b, _i);
    int fd = dial(b.address);
    settle(&b);
    put(fd, "bye", 3);
    close(fd);
    for (int i = 0; i < 100 && !gw_worker_is_idle(b.worker); i++)
        turn(&b);
    ck_assert(gw_worker_is_idle(b.worker));
    bench_fini(&b);
}
END_TEST

START_TEST(peer_resets)
{
    struct bench b;
    struct linger linger = { .l_onoff = 1 };
    bench_init(&b, _i);
    int fd = dial(b.address);
    echo_once(&b, fd, "x");
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(fd);
    for (int i = 0; i < 100 && b.worker->closed == 0; i++)
        turn(&b);
    ck_assert_int_eq(b.worker->last_read_status, GW_ERESET);
    bench_fini(&b);
}
END_TEST

static const char *const relay_addresses[] = { "127.0.0.1:0", "unix:" };

START_TEST(relays)
{
    struct bench front, origin;
    char path[64], folder[] = "/tmp/gw-loop-XXXXXX";
    static char bytes[1 << 20], back[1 << 20];
    size_t sent = 0, got = 0;
    bool is_unix = _i % 2 == 1;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "unix:%s/s", folder);
    bench_init(&origin, _i / 2);
    bench_init(&front, _i / 2);
    if (is_unix)
        bench_listen(&origin, path);
    ck_assert_mem_eq(origin.address, relay_addresses[_i % 2], 5);
    front.worker->target = origin.address;
    int fd = dial(front.address);
    pattern(bytes, sizeof(bytes));
    while (got < sizeof(bytes)) {
        long n = syscall(SYS_sendto, fd, bytes + sent, sizeof(bytes) - sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
        sent += n > 0 ? (size_t)n : 0;
        ck_assert_int_eq(gw_loop_run_once(front.loop, 0), GW_OK);
        ck_assert_int_eq(gw_loop_run_once(origin.loop, 0), GW_OK);
        n = syscall(SYS_recvfrom, fd, back + got, sizeof(back) - got, MSG_DONTWAIT, NULL, NULL);
        ck_assert_int_ne(n, 0);
        got += n > 0 ? (size_t)n : 0;
    }
    ck_assert_mem_eq(back, bytes, sizeof(bytes));
    struct gw_link *l = fake_first_link(front.worker)->peer;
    ck_assert_str_eq(l->peer_name, origin.address);
    close(fd);
    bench_fini(&front);
    bench_fini(&origin);
    unlink(path + 5);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

static void relay_to(int kind, const char *target, gw_status want)
{
    struct bench b;
    char byte;
    bench_init(&b, kind);
    b.worker->target = target;
    int fd = dial(b.address);
    ck_assert_uint_eq(pull(&b, fd, &byte, 1), 0);
    ck_assert_int_eq(b.worker->last_connect_status, want);
    settle(&b);
    ck_assert_uint_eq(b.worker->closed, 2);
    close(fd);
    bench_fini(&b);
}

START_TEST(connect_refused)
{
    struct bench b;
    char nobody[128];
    bench_init(&b, _i);
    memcpy(nobody, b.address, sizeof(nobody));
    bench_fini(&b);
    relay_to(_i, nobody, GW_EREFUSED);
    relay_to(_i, "unix:/nonexistent/x", GW_EREFUSED);
    relay_to(_i, "name.example:80", GW_EINVAL);
}
END_TEST

/* An upstream that answers and cuts the connection while we still send: its answer is delivered
 * before the failure, and the cut is seen as one. */
START_TEST(early_answer)
{
    struct bench b;
    gw_address at;
    struct gw_socket_name name, peer;
    static char answer[20000], piece[65536], back[20000];
    int listener, server = -1;
    bench_init(&b, _i);
    b.worker->room_bytes = 1000; /* several reads for the answer */
    b.worker->rooms_max = 1;
    ck_assert_int_eq(gw_address_parse(gw_cstr("127.0.0.1:0"), &at), GW_OK);
    ck_assert_int_eq(gw_socket_listen(&at, 0, 16, &listener), GW_OK);
    gw_socket_local(listener, &name);
    name.text[name.len] = '\0';
    b.worker->target = name.text;
    int fd = dial(b.address);
    while (gw_socket_accept(listener, &server, &peer) != GW_OK)
        turn(&b);
    settle(&b);
    /* More than the sockets hold, so that a send is under way. */
    struct gw_link *up = fake_first_link(b.worker)->peer;
    for (int still = 0; still < 50;) {
        long n = syscall(SYS_sendto, fd, piece, sizeof(piece), MSG_DONTWAIT | MSG_NOSIGNAL, NULL,
                         0);
        still = n > 0 ? 0 : still + 1;
        ck_assert_int_eq(gw_loop_run_once(b.loop, 0), GW_OK);
    }
    ck_assert(up->is_send_pending);
    pattern(answer, sizeof(answer));
    put(server, answer, sizeof(answer));
    close(server); /* unread bytes: a reset */
    size_t got = pull(&b, fd, back, sizeof(back));
    ck_assert_uint_eq(up->received, sizeof(answer));
    ck_assert_uint_eq(got, sizeof(answer));
    ck_assert_mem_eq(back, answer, got);
    for (int i = 0; i < 100 && b.worker->closed == 0; i++)
        turn(&b);
    ck_assert_int_eq(b.worker->last_read_status, GW_ERESET);
    close(fd);
    close(listener);
    bench_fini(&b);
}
END_TEST

START_TEST(links_max_holds_the_next)
{
    struct bench b;
    char byte;
    bench_init(&b, _i);
    b.worker->links_max = 3; /* room for two */
    int fds[4];
    for (int i = 0; i < 4; i++)
        fds[i] = dial(b.address);
    for (int i = 0; i < 4; i++)
        put(fds[i], &"abcd"[i], 1);
    settle(&b);
    ck_assert_uint_eq(b.worker->accepted, 2);
    uint32_t before = b.worker->refused;
    ck_assert_int_gt(gw_loop_timeout_ms(b.loop), 0); /* it waits */
    uint32_t steps = b.worker->steps;
    while (b.worker->refused == before) /* until it tries again by itself */
        ck_assert_int_eq(gw_loop_run_once(b.loop, -1), GW_OK);
    ck_assert_uint_le(b.worker->steps, steps + 10); /* asleep */
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(pull(&b, fds[i], &byte, 1), 1);
        ck_assert_int_eq(byte, 'a' + (int)i);
        close(fds[i]); /* makes room for the next but one */
        while (b.worker->closed == i)
            turn(&b);
        ck_assert(b.worker->accepted >= (i == 0 ? 3 : 4) || gw_loop_timeout_ms(b.loop) == 0);
    }
    ck_assert_uint_eq(b.worker->accepted, 4);
    bench_fini(&b);
}
END_TEST

/* No block is free when bytes come: they stay in the socket until there is one. */
START_TEST(no_room)
{
    struct bench b;
    bench_init(&b, _i);
    int fd = dial(b.address);
    settle(&b);
    b.worker->rooms_max = 0;
    put(fd, "early ", 6);
    for (int i = 0; i < 5; i++)
        turn(&b);
    ck_assert_uint_eq(fake_first_link(b.worker)->reads, 0);
    b.worker->rooms_max = 8;
    char back[6];
    ck_assert_uint_eq(pull(&b, fd, back, 6), 6);
    echo_once(&b, fd, "late");
    close(fd);
    bench_fini(&b);
}
END_TEST

/* A worker that drains takes nobody: who comes then is not left hanging. */
START_TEST(refused_while_draining)
{
    struct bench b;
    char byte;
    bench_init(&b, _i);
    settle(&b);
    ck_assert_int_eq(gw_worker_drain(b.worker, 1000), GW_OK);
    int fd = dial(b.address);
    ck_assert_uint_eq(pull(&b, fd, &byte, 1), 0);
    ck_assert_uint_eq(b.worker->accepted, 0);
    close(fd);
    bench_fini(&b);
}
END_TEST

START_TEST(held_until_configured)
{
    struct bench b;
    bench_init(&b, _i);
    ck_assert_int_eq(gw_loop_timeout_ms(b.loop), 0); /* the first turn does not wait */
    settle(&b);
    b.worker->accept_status = GW_EUNKNOWN;
    int fd = dial(b.address);
    put(fd, "x", 1);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(gw_loop_run_once(b.loop, 1), GW_OK);
    ck_assert_uint_eq(b.worker->accepted, 0);
    b.worker->accept_status = GW_OK;
    b.worker->spec.wake(b.worker->spec.wake_ctx); /* as an applied configuration does */
    ck_assert_int_eq(gw_loop_run_once(b.loop, 0), GW_OK);
    ck_assert(b.worker->accepted == 1 || gw_loop_timeout_ms(b.loop) == 0); /* no pause any more */
    char byte;
    ck_assert_uint_eq(pull(&b, fd, &byte, 1), 1);
    close(fd);
    bench_fini(&b);
}
END_TEST

START_TEST(no_descriptors)
{
    struct bench b;
    struct rlimit limit, low;
    char byte;
    bench_init(&b, _i);
    int fd = dial(b.address);
    put(fd, "x", 1);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = (rlim_t)fd;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    settle(&b);
    ck_assert_int_gt(gw_loop_timeout_ms(b.loop), 0); /* it neither spins nor sleeps for ever */
    ck_assert_uint_eq(b.worker->accepted, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(pull(&b, fd, &byte, 1), 1);
    close(fd);
    bench_fini(&b);
}
END_TEST

START_TEST(many_at_once)
{
    struct bench b;
    enum { MANY = 300 };
    int fds[MANY];
    bench_init(&b, _i);
    for (int i = 0; i < MANY; i++)
        fds[i] = dial(b.address);
    for (int i = 0; i < MANY; i++)
        echo_once(&b, fds[i], "all of you");
    ck_assert_uint_eq(b.worker->accepted, MANY);
    for (int i = 0; i < MANY; i += 2)
        close(fds[i]);
    settle(&b);
    for (int i = 1; i < MANY; i += 2)
        echo_once(&b, fds[i], "still here");
    for (int i = 0; i < MANY; i += 2)
        fds[i] = dial(b.address);
    for (int i = 0; i < MANY; i++)
        echo_once(&b, fds[i], "again");
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    bench_fini(&b);
}
END_TEST

/* Many that come together go together: with io_uring by one call, not by one each; and none is lost where
 * more come than a batch holds, or where the kernel takes none of them. */
START_TEST(together)
{
    struct bench b;
    enum { MANY = 300, ROUNDS = 6, SIZE = 3000 };
    static char bytes[MANY][SIZE];
    char back[SIZE];
    int fds[MANY];
    bench_init(&b, _i);
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial(b.address);
        for (int k = 0; k < SIZE; k++)
            bytes[i][k] = (char)(i * 31 + k);
    }
    while (b.worker->accepted < MANY)
        turn(&b);
    settle(&b);
    for (int round = 0; round < ROUNDS; round++) {
        size_t len = round % 2 == 0 ? 100 : SIZE; /* in several rooms */
        recvs = sends = submits = 0;
        fail_submit = round >= 4 ? 1 : 0;
        for (int i = 0; i < MANY; i++)
            put(fds[i], bytes[i], len);
        settle(&b);
        for (int i = 0; i < MANY; i++) {
            ck_assert_uint_eq(pull(&b, fds[i], back, len), len);
            ck_assert_mem_eq(back, bytes[i], len);
        }
        if (kinds[_i] != GW_LOOP_URING) {
            ck_assert_uint_ge(recvs, MANY);
            ck_assert_uint_ge(sends, MANY);
        } else if (round < 4) {
            ck_assert_uint_le(recvs + sends, 10); /* a turn with a single one may be among them */
            ck_assert_uint_le(submits, 40);
        }
    }
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    for (int i = 0; i < 1000 && b.worker->closed < MANY; i++)
        turn(&b);
    ck_assert_uint_eq(b.worker->closed, MANY);
    bench_fini(&b);
}
END_TEST

/* Few go one by one, whatever moves them; so many that a call for all is cheaper go by that. */
START_TEST(few_go_alone)
{
    struct bench b;
    int fds[GW_BATCH_LEAST];
    char back[5];
    bench_init(&b, _i);
    for (int i = 0; i < GW_BATCH_LEAST; i++) {
        fds[i] = dial(b.address);
        echo_once(&b, fds[i], "x");
    }
    settle(&b);
    for (uint32_t n = GW_BATCH_LEAST - 1; n <= GW_BATCH_LEAST; n++) {
        bool is_together = n == GW_BATCH_LEAST && kinds[_i] == GW_LOOP_URING;
        for (uint32_t i = 0; i < n; i++)
            put(fds[i], "bytes", 5);
        recvs = sends = submits = 0;
        settle(&b);
        ck_assert_uint_eq(recvs, is_together ? 0 : n);
        ck_assert_uint_eq(sends, is_together ? 0 : n);
        ck_assert_uint_eq(submits > 0, is_together);
        for (uint32_t i = 0; i < n; i++) {
            ck_assert_uint_eq(pull(&b, fds[i], back, 5), 5);
            ck_assert_mem_eq(back, "bytes", 5);
        }
    }
    for (int i = 0; i < GW_BATCH_LEAST; i++)
        close(fds[i]);
    bench_fini(&b);
}
END_TEST

/* What is large goes by calls of its own, also beside others: it is sent before more is read. */
START_TEST(bulk_goes_alone)
{
    struct bench b;
    enum { MANY = 4, SIZE = 60000 };
    static char bytes[SIZE], back[SIZE];
    int fds[MANY];
    bench_init(&b, _i);
    b.worker->room_bytes = 16000;
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial(b.address);
        echo_once(&b, fds[i], "x");
    }
    settle(&b);
    pattern(bytes, sizeof(bytes));
    recvs = sends = 0;
    for (int i = 0; i < MANY; i++)
        put(fds[i], bytes, sizeof(bytes));
    for (int i = 0; i < MANY; i++) {
        ck_assert_uint_eq(pull(&b, fds[i], back, sizeof(back)), sizeof(back));
        ck_assert_mem_eq(back, bytes, sizeof(back));
    }
    ck_assert_uint_ge(recvs, MANY);
    ck_assert_uint_ge(sends, 1);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    bench_fini(&b);
}
END_TEST

/* Of many in one batch some are reset, some end, some are stuck: the others go on. */
START_TEST(ends_together)
{
    struct bench b;
    enum { MANY = 60 };
    int fds[MANY];
    char back[5];
    struct linger now = { .l_onoff = 1 };
    bench_init(&b, _i);
    for (int i = 0; i < MANY; i++)
        fds[i] = dial(b.address);
    for (int i = 0; i < MANY; i++)
        echo_once(&b, fds[i], "x");
    settle(&b);
    for (int i = 0; i < MANY; i++) {
        put(fds[i], "bytes", 5);
        if (i % 3 == 1) {
            ck_assert_int_eq(setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
            close(fds[i]);
        } else if (i % 3 == 2) {
            ck_assert_int_eq(shutdown(fds[i], SHUT_WR), 0);
        }
    }
    settle(&b);
    for (int i = 0; i < MANY; i++) {
        if (i % 3 == 1)
            continue;
        ck_assert_uint_eq(pull(&b, fds[i], back, 5), 5);
        ck_assert_mem_eq(back, "bytes", 5);
        if (i % 3 == 2)
            ck_assert_uint_eq(pull(&b, fds[i], back, 1), 0);
    }
    settle(&b);
    ck_assert_uint_eq(b.worker->closed, MANY / 3 * 2);
    for (int i = 0; i < MANY; i++)
        if (i % 3 != 1)
            close(fds[i]);
    bench_fini(&b);
}
END_TEST

/* More than a ring takes before the first turn; all are watched. */
START_TEST(adopts_many)
{
    struct bench b;
    enum { MANY = 1100 };
    static int mine[MANY];
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    bench_init(&b, _i);
    b.worker->links_max = 4 * MANY;
    spec.listener = gw_cstr("front");
    for (int i = 0; i < MANY; i++) {
        int pair[2];
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        ck_assert_int_eq(gw_loop_adopt(b.loop, pair[1], &spec, NULL), GW_OK);
        mine[i] = pair[0];
    }
    for (int i = 0; i < MANY; i++)
        echo_once(&b, mine[i], "all");
    int late[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, late), 0);
    ck_assert_int_eq(gw_loop_adopt(b.loop, late[1], &spec, NULL), GW_OK);
    echo_once(&b, late[0], "late");
    close(late[0]);
    for (int i = 0; i < MANY; i++)
        close(mine[i]);
    bench_fini(&b);
}
END_TEST

START_TEST(adopts)
{
    struct bench b;
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    gw_facts facts = GW_SPEC(gw_facts);
    gw_link *link = NULL;
    int pair[2];
    bench_init(&b, _i);
    spec.listener = gw_cstr("front");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(gw_loop_adopt(b.loop, -1, &spec, NULL), GW_EINVAL);
    ck_assert_int_eq(gw_loop_adopt(b.loop, pair[1], NULL, NULL), GW_EINVAL);
    b.worker->accept_status = GW_ELIMIT;
    ck_assert_int_eq(gw_loop_adopt(b.loop, pair[1], &spec, NULL), GW_ELIMIT);
    b.worker->accept_status = GW_OK;
    facts.peer = gw_cstr("host");
    spec.facts = &facts;
    ck_assert_int_eq(gw_loop_adopt(b.loop, pair[1], &spec, &link), GW_OK);
    ck_assert_str_eq(link->peer_name, "host");
    echo_once(&b, pair[0], "adopted");
    close(pair[0]);
    for (int i = 0; i < 100 && !gw_worker_is_idle(b.worker); i++)
        turn(&b);
    ck_assert_int_eq(fcntl(pair[1], F_GETFD), -1); /* closed: it was taken */
    bench_fini(&b);
}
END_TEST

/* The machine closes a link on its own account. */
static void lose_first(struct bench *b)
{
    fake_first_link(b->worker)->is_lost = true;
    b->worker->spec.wake(b->worker->spec.wake_ctx);
    while (b->worker->closed == 0)
        turn(b);
}

/* The host keeps a copy of the descriptor: what happens there later is nobody's. */
START_TEST(stale_events)
{
    struct bench b;
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    int pair[2], other[2];
    bench_init(&b, _i);
    int watched = gw_loop_fd(b.loop);
    spec.listener = gw_cstr("front");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    int copy = dup(pair[1]);
    ck_assert_int_eq(gw_loop_adopt(b.loop, pair[1], &spec, NULL), GW_OK);
    echo_once(&b, pair[0], "x");
    lose_first(&b);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    ck_assert_int_eq(gw_loop_adopt(b.loop, other[1], &spec, NULL), GW_OK); /* the same record */
    settle(&b);
    recvs = 0;
    ck_assert_int_eq(syscall(SYS_sendto, pair[0], "stale", 5, MSG_NOSIGNAL, NULL, 0), 5);
    settle(&b);
    ck_assert_uint_eq(recvs, 0);
    if (watched >= 0) { /* it was taken out: not even a wake */
        struct pollfd p = { .fd = watched, .events = POLLIN };
        ck_assert_int_eq(syscall(SYS_sendto, pair[0], "stale", 5, MSG_NOSIGNAL, NULL, 0), 5);
        ck_assert_int_eq(poll(&p, 1, 0), 0);
    }
    close(pair[0]);
    echo_once(&b, other[0], "fresh");
    close(copy);
    close(other[0]);
    bench_fini(&b);
}
END_TEST

/* Another process has copies of all descriptors: epoll goes on telling of what the loop has closed,
 * in a record that is used anew. */
START_TEST(copies_in_a_child)
{
    struct bench b;
    int gate[2];
    char byte;
    bench_init(&b, _i);
    int first = dial(b.address);
    echo_once(&b, first, "x");
    ck_assert_int_eq(pipe(gate), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(gate[1]);
        _exit((int)read(gate[0], &byte, 1)); /* until the parent is done */
    }
    lose_first(&b);
    b.worker->does_not_read = true;
    int second = dial(b.address);
    while (b.worker->accepted < 2)
        turn(&b);
    b.worker->does_not_read = false;
    settle(&b);
    recvs = 0;
    put(first, "stale", 5);
    settle(&b);
    ck_assert_uint_eq(recvs, 0);
    echo_once(&b, second, "fresh");
    close(gate[1]);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    close(gate[0]);
    close(first);
    close(second);
    bench_fini(&b);
}
END_TEST

/* When a link cannot be watched it ends; it does not hang. */
START_TEST(cannot_be_watched)
{
    struct bench b;
    char byte;
    bench_init(&b, 1);
    settle(&b);
    int fd = dial(b.address);
    fail_ctl = 1;
    ck_assert_uint_eq(pull(&b, fd, &byte, 1), 0);
    settle(&b);
    ck_assert_uint_eq(b.worker->closed, 1);
    close(fd);
    bench_fini(&b);
}
END_TEST

/* The same where the kernel finds out later: here the host has closed what it had given away. */
START_TEST(watched_in_vain)
{
    struct bench b;
    gw_accept_spec spec = GW_SPEC(gw_accept_spec);
    int pair[2];
    bench_init(&b, _i);
    settle(&b);
    spec.listener = gw_cstr("front");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(gw_loop_adopt(b.loop, pair[1], &spec, NULL), GW_OK);
    close(pair[1]);
    for (int i = 0; i < 100 && b.worker->closed == 0; i++)
        turn(&b);
    ck_assert_uint_eq(b.worker->closed, 1);
    close(pair[0]);
    bench_fini(&b);
}
END_TEST

/* In its last step of a turn a loop is rung, and a link goes: the ring is not lost with that. */
static void be_rung(gw_loop *loop, void *ctx)
{
    (void)loop;
    ++*(int *)ctx;
}
struct ringing {
    struct bench *b;
    gw_visit visit;
};
static void ring_and_lose(void *ctx)
{
    struct ringing *r = ctx;
    r->b->worker->in_hook = NULL;
    gw_loop_visit(r->b->loop, &r->visit);
    fake_first_link(r->b->worker)->is_lost = true;
}
START_TEST(rung_in_a_turn)
{
    struct bench b;
    int rings = 0;
    bench_init(&b, _i);
    struct ringing ringing = { &b, { be_rung, &rings, NULL } };
    int fd = dial(b.address);
    echo_once(&b, fd, "x");
    settle(&b);
    b.worker->hook_ctx = &ringing;
    b.worker->in_hook = ring_and_lose;
    ck_assert_int_eq(gw_loop_run_once(b.loop, 0), GW_OK);
    ck_assert_uint_eq(b.worker->closed, 1);
    ck_assert_int_eq(rings, 0);
    ck_assert_int_eq(gw_loop_run_once(b.loop, -1), GW_OK); /* else for ever */
    ck_assert_int_eq(rings, 1);
    close(fd);
    bench_fini(&b);
}
END_TEST

/* As a program that becomes a daemon: who made the loop ends, its child runs it. */
START_TEST(changes_processes)
{
    struct bench b;
    char back[5];
    int status = -1;
    bench_init(&b, _i / 2);
    int first = dial(b.address);
    if (_i % 2 == 0)
        echo_once(&b, first, "x"); /* it had begun */
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        int second = dial(b.address), turns = 0;
        close(first);
        put(second, "child", 5);
        for (long n = -1; n < 0 && turns < 1000; turns++) {
            turn(&b);
            n = syscall(SYS_recvfrom, second, back, 5, MSG_DONTWAIT, NULL, NULL);
        }
        for (int i = 0; i < 1000 && b.worker->closed == 0; i++)
            turn(&b); /* until the first has gone, too */
        _exit(turns < 1000 && memcmp(back, "child", 5) == 0 && b.worker->closed > 0 ? 0 : 1);
    }
    put(first, "first", 5);
    for (size_t got = 0; got < 5;) {
        struct pollfd p = { .fd = first, .events = POLLIN };
        ck_assert_int_eq(poll(&p, 1, 10000), 1);
        long n = syscall(SYS_recvfrom, first, back + got, 5 - got, 0, NULL, NULL);
        ck_assert_int_gt(n, 0);
        got += (size_t)n;
    }
    ck_assert_mem_eq(back, "first", 5);
    close(first);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    bench_fini(&b);
}
END_TEST

static void *echo_in_a_thread(void *ctx)
{
    struct bench *b = ctx;
    int fd = dial(b->address);
    echo_once(b, fd, "elsewhere");
    close(fd);
    return NULL;
}

/* A loop goes from thread to thread, with its links, its listener, and the descriptor that the host has. */
START_TEST(changes_threads)
{
    struct bench b;
    pthread_t thread;
    bench_init(&b, _i);
    int watched = gw_loop_fd(b.loop), fd = dial(b.address);
    echo_once(&b, fd, "here");
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(pthread_create(&thread, NULL, echo_in_a_thread, &b), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        if (i % 2 == 0)
            echo_once(&b, fd, "here again");
    }
    settle(&b);
    ck_assert_int_eq(gw_loop_fd(b.loop), watched);
    if (watched >= 0) {
        struct pollfd p = { .fd = watched, .events = POLLIN };
        int told = 0; /* of earlier rings too: the kernel ends them a little later */
        while (poll(&p, 1, 0) == 1 && told++ < 100)
            turn(&b);
        ck_assert_int_le(told, 100);
        put(fd, "seen", 4);
        ck_assert_int_eq(poll(&p, 1, 10000), 1);
    }
    close(fd);
    bench_fini(&b);
}
END_TEST

START_TEST(nested_in_another_loop)
{
    struct bench b;
    bench_init(&b, _i);
    if (kinds[_i] == GW_LOOP_POLL) {
        ck_assert_int_eq(gw_loop_fd(b.loop), -1);
    } else {
        int outer = epoll_create1(0), fd = dial(b.address);
        struct epoll_event event = { .events = EPOLLIN };
        char back[5];
        size_t got = 0;
        ck_assert_int_eq(epoll_ctl(outer, EPOLL_CTL_ADD, gw_loop_fd(b.loop), &event), 0);
        put(fd, "outer", 5);
        while (got < 5) {
            int timeout = gw_loop_timeout_ms(b.loop);
            ck_assert_int_ge(epoll_wait(outer, &event, 1, timeout < 0 ? 10000 : timeout), 0);
            ck_assert_int_eq(gw_loop_run_once(b.loop, 0), GW_OK);
            long n = syscall(SYS_recvfrom, fd, back + got, 5 - got, MSG_DONTWAIT, NULL, NULL);
            got += n > 0 ? (size_t)n : 0;
        }
        /* All was taken in: the outer loop sees nothing. */
        settle(&b);
        ck_assert_int_eq(epoll_wait(outer, &event, 1, 0), 0);
        close(fd);
        close(outer);
    }
    bench_fini(&b);
}
END_TEST

START_TEST(deadlines)
{
    struct bench b;
    bench_init(&b, _i);
    settle(&b);
    ck_assert_int_eq(gw_loop_timeout_ms(b.loop), -1);
    b.worker->deadline = gw_loop_now(b.loop) + 30 * 1000000;
    gw_nanos want = b.worker->deadline;
    ck_assert_int_le(gw_loop_timeout_ms(b.loop), 30);
    uint32_t before = b.worker->steps;
    while (b.worker->deadline != UINT64_MAX)
        ck_assert_int_eq(gw_loop_run_once(b.loop, -1), GW_OK);
    ck_assert_uint_le(b.worker->steps, before + 5); /* asleep until then, to the last millisecond */
    ck_assert_uint_ge(b.worker->now, want);
    ck_assert_uint_eq(b.worker->now, gw_loop_now(b.loop));
    /* Never early: the milliseconds are rounded up. */
    b.worker->deadline = gw_loop_now(b.loop) + (gw_nanos)3600 * 1000000000 + 500000;
    for (int i = 0; i < 200; i++) {
        struct timespec t;
        gw_nanos asleep = (gw_nanos)gw_loop_timeout_ms(b.loop) * 1000000;
        ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &t), 0);
        gw_nanos now = (gw_nanos)t.tv_sec * 1000000000 + (gw_nanos)t.tv_nsec;
        ck_assert_uint_ge(now + asleep, b.worker->deadline);
    }
    b.worker->deadline = 0;
    ck_assert_int_eq(gw_loop_timeout_ms(b.loop), 0);
    b.worker->step_status = GW_AGAIN;
    ck_assert_int_eq(gw_loop_run_once(b.loop, -1), GW_OK); /* neither waits */
    ck_assert_int_eq(gw_loop_timeout_ms(b.loop), 0);
    ck_assert_int_eq(gw_loop_run_once(b.loop, -1), GW_OK);
    ck_assert_int_eq(gw_loop_timeout_ms(b.loop), -1);
    bench_fini(&b);
}
END_TEST

/* GW_LOOP_ONE_FD: the host waits for the descriptor and for nothing else. */

static bool is_due(const struct bench *b, int wait_ms)
{
    struct pollfd p = { .fd = gw_loop_fd(b->loop), .events = POLLIN };
    return poll(&p, 1, wait_ms) == 1;
}

static void turn_while_due(struct bench *b)
{
    for (int i = 0; i < 20; i++) {
        if (!is_due(b, 0))
            return;
        ck_assert_int_eq(gw_loop_run_once(b->loop, 0), GW_OK);
    }
    ck_abort_msg("the descriptor stays readable");
}

static void do_nothing(gw_loop *loop, void *ctx)
{
    (void)loop;
    (void)ctx;
}

START_TEST(one_descriptor)
{
    struct bench b;
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    gw_visit visit = { do_nothing, NULL, NULL };
    int pair[2];
    memset(&b, 0, sizeof(b));
    fake_engine_init(&b.engine);
    spec.flags = GW_LOOP_ONE_FD;
    spec.kind = kinds[_i];
    ck_assert_int_eq(gw_loop_new(&b.engine, &spec, &b.loop), GW_OK);
    b.worker = gw_loop_worker(b.loop);
    ck_assert(is_due(&b, 0)); /* the first turn */
    turn_while_due(&b);
    bench_listen(&b, "127.0.0.1:0");
    int fd = dial(b.address); /* a connection, then its bytes */
    turn_while_due(&b);
    ck_assert_uint_eq(b.worker->accepted, 1);
    /* Time: asleep until then, and not longer. */
    b.worker->deadline = gw_loop_now(b.loop) + 50 * 1000000;
    gw_nanos want = b.worker->deadline;
    gw_loop_visit(b.loop, &visit);
    turn_while_due(&b);
    uint32_t before = b.worker->steps;
    while (b.worker->deadline != UINT64_MAX) {
        ck_assert(is_due(&b, 20000));
        ck_assert_int_eq(gw_loop_run_once(b.loop, 0), GW_OK);
    }
    ck_assert_uint_ge(b.worker->now, want);
    ck_assert_uint_le(b.worker->steps, before + 5);
    turn_while_due(&b);
    /* Deadlines that move on are not told to the system. */
    alarms = 0;
    for (uint32_t i = 0; i < 100; i++) {
        b.worker->deadline = gw_loop_now(b.loop) + (gw_nanos)3600 * 1000000000 + i;
        ck_assert_int_eq(gw_loop_run_once(b.loop, 0), GW_OK);
    }
    ck_assert_uint_eq(alarms, 1);
    ck_assert(!is_due(&b, 0));
    /* What is left of a turn. */
    b.worker->step_status = GW_AGAIN;
    ck_assert_int_eq(gw_loop_run_once(b.loop, 0), GW_OK);
    ck_assert(is_due(&b, 0));
    turn_while_due(&b);
    /* What is handed over between two turns. */
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    b.worker->deadline = 0; /* as of a worker with a new link */
    ck_assert_int_eq(gw_loop_adopt(b.loop, pair[0], &b.accept, NULL), GW_OK);
    ck_assert(is_due(&b, 0));
    turn_while_due(&b);
    close(pair[1]);
    close(fd);
    bench_fini(&b);
}
END_TEST

/* The host turns the loop, lets it run, and then waits for the descriptor again. */
START_TEST(one_descriptor_after_a_run)
{
    struct bench b;
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    memset(&b, 0, sizeof(b));
    fake_engine_init(&b.engine);
    spec.flags = GW_LOOP_ONE_FD;
    spec.kind = kinds[_i];
    ck_assert_int_eq(gw_loop_new(&b.engine, &spec, &b.loop), GW_OK);
    b.worker = gw_loop_worker(b.loop);
    gw_loop_stop(b.loop);
    ck_assert_int_eq(gw_loop_run(b.loop), GW_OK); /* in which the clock rang */
    b.worker->deadline = gw_loop_now(b.loop) + 50 * 1000000;
    gw_loop_stop(b.loop);
    ck_assert_int_eq(gw_loop_run(b.loop), GW_OK);
    while (b.worker->deadline != UINT64_MAX) {
        ck_assert(is_due(&b, 20000));
        ck_assert_int_eq(gw_loop_run_once(b.loop, 0), GW_OK);
    }
    turn_while_due(&b);
    bench_fini(&b);
}
END_TEST

struct nested {
    gw_loop *loop;
    uint32_t calls;
};
static void call_inside(void *ctx)
{
    struct nested *n = ctx;
    n->calls++;
    ck_assert_int_eq(gw_loop_run_once(n->loop, 0), GW_ESTATE);
    ck_assert_int_eq(gw_loop_run(n->loop), GW_ESTATE);
    gw_loop_free(n->loop);
}

START_TEST(not_inside_a_hook)
{
    struct bench b;
    struct nested nested = { 0 };
    bench_init(&b, _i);
    nested.loop = b.loop;
    b.worker->hook_ctx = &nested;
    b.worker->in_hook = call_inside;
    turn(&b);
    ck_assert_uint_gt(nested.calls, 0);
    b.worker->in_hook = NULL;
    bench_fini(&b);
}
END_TEST

START_TEST(listens)
{
    struct bench b;
    gw_listen_spec spec = GW_SPEC(gw_listen_spec);
    gw_accept_spec accept = GW_SPEC(gw_accept_spec);
    gw_listener *second = NULL;
    bench_init(&b, _i);
    spec.address = gw_cstr(b.address);
    ck_assert_int_eq(gw_loop_listen(b.loop, &spec, NULL), GW_EINVAL); /* no accept spec */
    spec.accept = &accept;
    ck_assert_int_eq(gw_loop_listen(b.loop, &spec, NULL), GW_EREFUSED);
    spec.address = gw_cstr("name.example:80");
    ck_assert_int_eq(gw_loop_listen(b.loop, &spec, NULL), GW_EINVAL);
    spec.address = gw_cstr("rubbish");
    ck_assert_int_eq(gw_loop_listen(b.loop, &spec, NULL), GW_EINVAL);
    /* A descriptor of the host's: only one that listens. */
    gw_address a;
    int fd, plain = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(gw_loop_listen_fd(b.loop, plain, &spec, &second), GW_EINVAL);
    close(plain);
    ck_assert_int_eq(gw_address_parse(gw_cstr("127.0.0.1:0"), &a), GW_OK);
    ck_assert_int_eq(gw_socket_listen(&a, 0, 8, &fd), GW_OK);
    ck_assert_int_eq(gw_loop_listen_fd(b.loop, fd, &spec, &second), GW_OK);
    ck_assert_int_eq(gw_listener_fd(second), fd);
    char address[128], small[4];
    size_t len = gw_listener_address(second, address, sizeof(address) - 1);
    address[len] = '\0';
    ck_assert_uint_eq(gw_listener_address(second, small, sizeof(small)), 0);
    int client = dial(address);
    echo_once(&b, client, "by fd");
    /* Closing takes who had connected already. */
    int late = dial(address);
    gw_listener_close(second);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    echo_once(&b, late, "late");
    close(client);
    close(late);
    bench_fini(&b);
}
END_TEST

static void *run_loop(void *ctx)
{
    struct bench *b = ctx;
    ck_assert_int_eq(gw_loop_run(b->loop), GW_OK);
    return NULL;
}

START_TEST(stops_from_another_thread)
{
    struct bench b;
    pthread_t thread;
    bench_init(&b, _i);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(pthread_create(&thread, NULL, run_loop, &b), 0);
        gw_loop_stop(b.loop);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
    /* Before it runs is fine too; and it can go on afterwards. */
    gw_loop_stop(b.loop);
    ck_assert_int_eq(gw_loop_run(b.loop), GW_OK);
    gw_loop_stop(b.loop);
    ck_assert_int_eq(gw_loop_run_once(b.loop, -1), GW_EOF);
    int fd = dial(b.address);
    echo_once(&b, fd, "on and on");
    close(fd);
    bench_fini(&b);
}
END_TEST

/* Who has connected before the drain is served; then nobody is let in, and the run ends when the
 * last has gone. */
START_TEST(drains_from_another_thread)
{
    struct bench b;
    pthread_t thread;
    enum { CLIENTS = 100 };
    int fds[CLIENTS];
    bench_init(&b, _i);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = dial(b.address);
        put(fds[i], "drain", 5);
    }
    ck_assert_int_eq(gw_loop_drain(b.loop, 1000), GW_OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_loop, &b), 0);
    for (int i = 0; i < CLIENTS; i++) {
        char back[5];
        size_t got = 0;
        while (got < 5) {
            struct pollfd p = { .fd = fds[i], .events = POLLIN };
            ck_assert_int_eq(poll(&p, 1, 10000), 1);
            long n = syscall(SYS_recvfrom, fds[i], back + got, 5 - got, 0, NULL, NULL);
            ck_assert_int_gt(n, 0);
            got += (size_t)n;
        }
        ck_assert_mem_eq(back, "drain", 5);
        close(fds[i]);
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(b.worker->accepted, CLIENTS);
    ck_assert_int_eq(gw_listener_fd(b.listener), -1);
    gw_listen_spec spec = GW_SPEC(gw_listen_spec);
    spec.address = gw_cstr("127.0.0.1:0");
    spec.accept = &b.accept;
    ck_assert_int_eq(gw_loop_listen(b.loop, &spec, NULL), GW_ESTATE);
    ck_assert_int_eq(gw_loop_run_once(b.loop, -1), GW_EOF);
    gw_listener_close(b.listener);
    bench_fini(&b);
}
END_TEST

struct waker {
    struct bench *b;
    atomic_uint seen, wanted;
    atomic_bool is_over;
};
static void see(void *ctx)
{
    struct waker *w = ctx;
    atomic_store(&w->seen, atomic_load(&w->wanted));
}
static void *wake_often(void *ctx)
{
    struct waker *w = ctx;
    for (unsigned i = 1; i <= 2000; i++) {
        atomic_store(&w->wanted, i);
        w->b->worker->spec.wake(w->b->worker->spec.wake_ctx);
        while (atomic_load(&w->seen) != i)
            sched_yield();
    }
    gw_loop_stop(w->b->loop);
    return NULL;
}

/* No wake is lost: each is followed by a step. */
START_TEST(wakes)
{
    struct bench b;
    struct waker waker = { .b = &b };
    pthread_t thread;
    bench_init(&b, _i);
    b.worker->hook_ctx = &waker;
    b.worker->in_hook = see;
    ck_assert_int_eq(pthread_create(&thread, NULL, wake_often, &waker), 0);
    ck_assert_int_eq(gw_loop_run(b.loop), GW_OK);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    bench_fini(&b);
}
END_TEST

/* Two loops in two threads share an address. */
START_TEST(shared_port)
{
    struct bench b[2];
    pthread_t threads[2];
    gw_listen_spec spec = GW_SPEC(gw_listen_spec);
    enum { CLIENTS = 40 };
    int fds[CLIENTS];
    char address[128];
    for (int i = 0; i < 2; i++) {
        bench_init(&b[i], _i);
        spec.address = i == 0 ? gw_cstr("127.0.0.1:0") : gw_cstr(address);
        spec.flags = GW_LISTEN_REUSEPORT;
        spec.accept = &b[i].accept;
        gw_listener *listener;
        ck_assert_int_eq(gw_loop_listen(b[i].loop, &spec, &listener), GW_OK);
        address[gw_listener_address(listener, address, sizeof(address) - 1)] = '\0';
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_loop, &b[i]), 0);
        if (i == 0)
            continue;
    }
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = dial(address);
        put(fds[i], "both", 4);
    }
    for (int i = 0; i < CLIENTS; i++) {
        char back[4];
        for (size_t got = 0; got < 4;) {
            struct pollfd p = { .fd = fds[i], .events = POLLIN };
            ck_assert_int_eq(poll(&p, 1, 10000), 1);
            long n = syscall(SYS_recvfrom, fds[i], back + got, 4 - got, 0, NULL, NULL);
            ck_assert_int_gt(n, 0);
            got += (size_t)n;
        }
        close(fds[i]);
    }
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(gw_loop_drain(b[i].loop, 1000), GW_OK);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_eq(b[0].worker->accepted + b[1].worker->accepted, CLIENTS);
    bench_fini(&b[0]);
    bench_fini(&b[1]);
}
END_TEST

/* Every allocation of the loop may fail. */
START_TEST(no_memory)
{
    for (uint64_t k = 1;; k++) {
        struct test_alloc alloc;
        struct bench b = { 0 };
        gw_loop_spec spec = GW_SPEC(gw_loop_spec);
        gw_listen_spec listen = GW_SPEC(gw_listen_spec);
        gw_accept_spec accept = GW_SPEC(gw_accept_spec);
        int fds[100];
        size_t dialled = 0;
        test_alloc_init(&alloc);
        fake_engine_init(&b.engine);
        b.engine.allocator = alloc.allocator;
        alloc.fail_at = k;
        spec.kind = kinds[_i];
        gw_status status = gw_loop_new(&b.engine, &spec, &b.loop);
        ck_assert_int_eq(status, alloc.failed ? GW_ENOMEM : GW_OK);
        if (status == GW_OK) {
            b.worker = gw_loop_worker(b.loop);
            listen.address = gw_cstr("127.0.0.1:0");
            accept.listener = gw_cstr("front");
            listen.accept = &accept;
            status = gw_loop_listen(b.loop, &listen, &b.listener);
            ck_assert_int_eq(status, alloc.failed ? GW_ENOMEM : GW_OK);
        }
        if (status == GW_OK) {
            b.address[gw_listener_address(b.listener, b.address, 127)] = '\0';
            while (dialled < 100)
                fds[dialled++] = dial(b.address);
            /* Whoever had to wait for memory is served when there is some again. */
            for (size_t i = 0; i < dialled; i++) {
                char back[2];
                put(fds[i], "om", 2);
                size_t got = pull(&b, fds[i], back, 2);
                ck_assert(got == 2 || (kinds[_i] == GW_LOOP_POLL && alloc.failed > 0));
            }
        }
        while (dialled > 0)
            close(fds[--dialled]);
        gw_loop_free(b.loop);
        test_alloc_fini(&alloc);
        if (alloc.failed == 0)
            break;
    }
}
END_TEST

START_TEST(kinds_and_specs)
{
    struct gw_engine engine;
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    gw_loop *loop;
    fake_engine_init(&engine);
    spec.kind = 77;
    ck_assert_int_eq(gw_loop_new(&engine, &spec, &loop), GW_EUNSUPPORTED);
    ck_assert_int_eq(gw_loop_new(&engine, NULL, &loop), GW_EINVAL);
    spec.kind = 0;
    ck_assert_int_eq(gw_loop_new(&engine, &spec, &loop), GW_OK);
    ck_assert_str_eq(gw_loop_name(loop), kind_names[kinds_of_system() - 1]);
    gw_loop_free(loop);
    gw_loop_free(NULL);
    spec.flags = GW_LOOP_ONE_FD << 1;
    ck_assert_int_eq(gw_loop_new(&engine, &spec, &loop), GW_EINVAL);
    spec.flags = GW_LOOP_ONE_FD;
    spec.kind = GW_LOOP_POLL;
    ck_assert_int_eq(gw_loop_new(&engine, &spec, &loop), GW_EUNSUPPORTED);
}
END_TEST

/* What the kernel does not give: an answer where it was asked for, and epoll where it was not. */
START_TEST(not_permitted)
{
    static const struct {
        int error;
        gw_status status;
    } cases[] = { { EPERM, GW_EUNSUPPORTED },
                  { ENOSYS, GW_EUNSUPPORTED },
                  { EINVAL, GW_EUNSUPPORTED },
                  { ENOMEM, GW_ENOMEM },
                  { EMFILE, GW_ELIMIT } };
    struct gw_engine engine;
    gw_loop_spec spec = GW_SPEC(gw_loop_spec);
    gw_loop *loop;
    fake_engine_init(&engine);
    if (kinds_of_system() < 3)
        return;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setup_error = cases[i].error;
        fail_setup = 1;
        spec.kind = GW_LOOP_URING;
        ck_assert_int_eq(gw_loop_new(&engine, &spec, &loop), cases[i].status);
        fail_setup = 1;
        spec.kind = 0;
        ck_assert_int_eq(gw_loop_new(&engine, &spec, &loop), GW_OK);
        ck_assert_str_eq(gw_loop_name(loop), "epoll");
        gw_loop_free(loop);
        fail_setup = 0;
    }
}
END_TEST

/* Partial I/O as the knobs of test builds imitate it: the bytes are the same. */
START_TEST(knobs)
{
    struct bench b;
    static char bytes[20000], back[20000];
    if (!GW_ASSERTIONS_SLOW)
        return;
    setenv("GW_DEBUG_READ_MAX", "7", 1);
    setenv("GW_DEBUG_WRITE_BLOCK_PCT", "50", 1);
    bench_init(&b, _i);
    int fd = dial(b.address);
    pattern(bytes, sizeof(bytes));
    put(fd, bytes, sizeof(bytes));
    recvs = 0;
    ck_assert_uint_eq(pull(&b, fd, back, sizeof(back)), sizeof(back));
    ck_assert_mem_eq(back, bytes, sizeof(back));
    ck_assert_uint_ge(recvs, sizeof(bytes) / 7);
    close(fd);
    bench_fini(&b);
    unsetenv("GW_DEBUG_READ_MAX");
    unsetenv("GW_DEBUG_WRITE_BLOCK_PCT");
}
END_TEST

Suite *loop_suite(void)
{
    Suite *s = suite_create("loop");
    int n = kinds_of_system();
    check_add_loop(s, echoes, 0, n);
    check_add_loop(s, calls_per_message, 0, n);
    check_add_loop(s, one_clock_a_turn, 0, n);
    check_add_loop(s, bulk_fills_rooms, 0, n);
    check_add_loop(s, stalled_reader, 0, n);
    check_add_loop(s, half_close, 0, n);
    check_add_loop(s, end_with_bytes, 0, n);
    check_add_loop(s, peer_resets, 0, n);
    check_add_loop(s, relays, 0, 2 * n);
    check_add_loop(s, connect_refused, 0, n);
    check_add_loop(s, early_answer, 0, n);
    check_add_loop(s, links_max_holds_the_next, 0, n);
    check_add_loop(s, no_room, 0, n);
    check_add_loop(s, refused_while_draining, 0, n);
    check_add_loop(s, held_until_configured, 0, n);
    check_add_loop(s, no_descriptors, 0, n);
    check_add_loop(s, many_at_once, 0, n);
    check_add_loop(s, together, 0, n);
    check_add_loop(s, bulk_goes_alone, 0, n);
    check_add_loop(s, ends_together, 0, n);
    check_add_loop(s, few_go_alone, 0, n);
    check_add_loop(s, adopts_many, 0, n);
    check_add_loop(s, adopts, 0, n);
    check_add_loop(s, stale_events, 0, n);
    check_add_loop(s, copies_in_a_child, 0, n);
    check_add(s, cannot_be_watched);
    check_add_loop(s, one_descriptor, 1, n);
    check_add_loop(s, one_descriptor_after_a_run, 1, n);
    check_add_loop(s, watched_in_vain, 2, n);
    check_add_loop(s, rung_in_a_turn, 0, n);
    check_add_loop(s, changes_processes, 0, 2 * n);
    check_add_loop(s, changes_threads, 0, n);
    check_add_loop(s, nested_in_another_loop, 0, n);
    check_add_loop(s, deadlines, 0, n);
    check_add_loop(s, not_inside_a_hook, 0, n);
    check_add_loop(s, listens, 0, n);
    check_add_loop(s, stops_from_another_thread, 0, n);
    check_add_loop(s, drains_from_another_thread, 0, n);
    check_add_loop(s, wakes, 0, n);
    check_add_loop(s, shared_port, 0, n);
    check_add_loop(s, no_memory, 0, n);
    check_add(s, kinds_and_specs);
    check_add(s, not_permitted);
    check_add_loop(s, knobs, 0, n);
    return s;
}

CHECK_MAIN(loop_suite, socket_suite)
