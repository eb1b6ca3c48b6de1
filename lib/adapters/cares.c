/* adapters/cares.c: c-ares is known here alone. It carries questions and responses (UDP, and TCP where a
 * response is cut off), tries the servers in turn, and says when it gives up; what a response says is read
 * elsewhere. It has no thread: its sockets lie in an epoll set.
 *
 * ares_library_init is not called: outside of Windows it only counts, and not for two threads at once.
 */
#define _GNU_SOURCE
#include "adapters/cares.h"

#include <ares.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/text.h"

enum { TRY_MS = 2000, TRIES = 2, UDP_BYTES = 1232, EVENTS = 16, CLASS_IN = 1 };

struct gw_asker {
    struct gw_heap *heap;
    gw_str servers;
    gw_asker_told_fn *told;
    void *ctx;
    int set; /* epoll */
    ares_channel channel;
    bool is_open;     /* there is a channel                                            */
    bool is_doubtful; /* somebody did not answer: where the servers are is read again  */
    bool is_ending;
    uint32_t under_way;
};
struct question {
    struct gw_asker *asker;
    uint64_t tag;
};

/* ---- the channel ---- */

static void watch(void *ctx, ares_socket_t fd, int is_readable, int is_writable)
{
    struct gw_asker *a = ctx;
    struct epoll_event e = { .events = (is_readable ? EPOLLIN : 0u) | (is_writable ? EPOLLOUT : 0u),
                             .data.fd = fd };

    if (e.events == 0)
        (void)epoll_ctl(a->set, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl(a->set, EPOLL_CTL_MOD, fd, &e) != 0 && errno == ENOENT)
        (void)epoll_ctl(a->set, EPOLL_CTL_ADD, fd, &e); /* if it fails the question is late */
}

static bool open_channel(struct gw_asker *a)
{
    char lookups[] = "b"; /* no file of hosts */
    struct ares_options options = { .flags = ARES_FLAG_EDNS | ARES_FLAG_NOALIASES |
                                             ARES_FLAG_NOSEARCH,
                                    .timeout = TRY_MS,
                                    .tries = TRIES,
                                    .ednspsz = UDP_BYTES,
                                    .lookups = lookups,
                                    .sock_state_cb = watch,
                                    .sock_state_cb_data = a };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
               ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;

    if (ares_init_options(&a->channel, &options, mask) != ARES_SUCCESS)
        return false;
    if (a->servers.len > 0 &&
        ares_set_servers_ports_csv(a->channel, a->servers.ptr) != ARES_SUCCESS) {
        ares_destroy(a->channel);
        return false;
    }
    a->is_open = true;
    a->is_doubtful = false;
    return true;
}

static void close_channel(struct gw_asker *a)
{
    if (a->is_open)
        ares_destroy(a->channel);
    a->is_open = false;
}

gw_status gw_asker_new(struct gw_heap *heap, gw_str servers, gw_asker_told_fn *told, void *ctx,
                       struct gw_asker **out)
{
    struct gw_asker *a = gw_heap_zalloc(heap, sizeof *a);

    if (a == NULL)
        return GW_ENOMEM;
    *a = (struct gw_asker){ .heap = heap, .told = told, .ctx = ctx, .set = -1 };
    if (gw_heap_copy(heap, servers, &a->servers) != GW_OK) {
        gw_heap_release(heap, a, sizeof *a);
        return GW_ENOMEM;
    }
    a->set = epoll_create1(EPOLL_CLOEXEC);
    if (a->set < 0) {
        gw_asker_free(a);
        return GW_ESTATE;
    }
    *out = a;
    return GW_OK;
}

void gw_asker_free(struct gw_asker *a)
{
    a->is_ending = true;
    close_channel(a);
    if (a->set >= 0)
        close(a->set);
    gw_heap_release_str(a->heap, a->servers);
    gw_heap_release(a->heap, a, sizeof *a);
}

int gw_asker_fd(const struct gw_asker *a)
{
    return a->set;
}

/* ---- questions ---- */

static const char *why_of(int status)
{
    switch (status) {
    case ARES_ETIMEOUT:
        return "no server answered in time";
    case ARES_ECONNREFUSED:
        return "no server can be reached, or none does what it is asked";
    case ARES_ESERVFAIL:
        return "the server failed (SERVFAIL)";
    case ARES_EREFUSED:
        return "the server refused (REFUSED)";
    case ARES_ENOTIMP:
        return "the server does not do that (NOTIMP)";
    case ARES_ENOMEM:
        return "there is no memory";
    default:
        return "asking failed";
    }
}

static void hear(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
    struct question *q = arg;
    struct gw_asker *a = q->asker;
    uint64_t tag = q->tag;
    bool has_response = bytes != NULL && len > 0;

    (void)timeouts;
    gw_heap_release(a->heap, q, sizeof *q);
    a->under_way--;
    a->is_doubtful |= !has_response;
    if (a->is_ending)
        return;
    if (has_response)
        a->told(a->ctx, tag, bytes, (size_t)len, NULL);
    else
        a->told(a->ctx, tag, NULL, 0, why_of(status));
}

void gw_asker_ask(struct gw_asker *a, const char *name, uint32_t type, uint64_t tag)
{
    struct question *q;

    if (a->is_doubtful && a->under_way == 0)
        close_channel(a);
    if (!a->is_open && !open_channel(a)) {
        a->told(a->ctx, tag, NULL, 0, "the list of name servers cannot be read");
        return;
    }
    q = gw_heap_alloc(a->heap, sizeof *q);
    if (q == NULL) {
        a->told(a->ctx, tag, NULL, 0, why_of(ARES_ENOMEM));
        return;
    }
    *q = (struct question){ a, tag };
    a->under_way++;
    ares_query(a->channel, name, CLASS_IN, (int)type, hear, q);
}

void gw_asker_step(struct gw_asker *a)
{
    struct epoll_event events[EVENTS];
    int n;

    if (!a->is_open)
        return;
    n = epoll_wait(a->set, events, EVENTS, 0);
    for (int i = 0; i < n; i++) {
        uint32_t ready = events[i].events;
        bool is_in = (ready & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0, is_out = ready & EPOLLOUT;
        ares_process_fd(a->channel, is_in ? events[i].data.fd : ARES_SOCKET_BAD,
                        is_out ? events[i].data.fd : ARES_SOCKET_BAD);
    }
    ares_process_fd(a->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

gw_nanos gw_asker_wait(const struct gw_asker *a)
{
    struct timeval tv;

    if (!a->is_open || a->under_way == 0 || ares_timeout(a->channel, NULL, &tv) == NULL)
        return UINT64_MAX;
    return (gw_nanos)tv.tv_sec * 1000000000u + (gw_nanos)tv.tv_usec * 1000u;
}
