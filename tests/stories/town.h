/* stories/town.h: a town around a gateway of several workers that share an engine: callers who come as
 * they like, services that do so much at once and no more, and time that moves only from one event to the
 * next. Bodies and framing are of no interest here (tests/sim is for those): a message is a few bytes of
 * HTTP/1.1, and a minute of thousands of requests a second takes some seconds. The same seed gives the
 * same events.
 *
 *   town.c           events, clocks, the gateway, the main loop
 *   town_wire.c      the gw_io_ops: what lies between the gateway and the others
 *   town_people.c    callers and services
 *   stories.c        what has happened to others, with and without what protects from it
 *   worlds.c         towns drawn by seed, with policies of every kind
 *   worlds_oracle.c  what must be true of them
 */
#ifndef STORIES_TOWN_H
#define STORIES_TOWN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gw/gw.h>

#include "base/prng.h"
#include "base/text.h"
#include "base/timer.h"

#define TOWN_SECOND GW_MS(1000)
#define TOWN_NOBODY UINT32_MAX

enum { TOWN_WORKERS = 4, TOWN_SERVICES = 16, TOWN_CROWDS = 16 };

#define TOWN_CHECK(town, condition, ...)                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            town_fail((town), __FILE__, __LINE__, #condition, __VA_ARGS__);                        \
    } while (0)

struct town_bytes {
    char *at;
    size_t len, room;
};

/* A connection. One end is the gateway's, the other a caller's or a service's. */
struct town_wire {
    uint32_t index, turn; /* turn: what was meant for an earlier one comes too late */
    uint32_t worker;
    gw_link *link;             /* NULL: the gateway's end is gone */
    uint32_t service;          /* TOWN_NOBODY: a caller's         */
    uint32_t ask;              /* a caller's: which it carries; TOWN_NOBODY: it is idle */
    struct town_bytes in, out; /* to the gateway, to the other one */
    bool is_used, is_recv_wanted, is_in_due, is_out_due;
    bool is_peer_gone, is_end_told; /* the other one has ended it: the gateway knows */
    bool is_kept;                   /* a caller's: for the next request              */
    bool has_served;                /* a service's: it is not its first              */
};

enum town_mood {
    TOWN_WELL,
    TOWN_REFUSES, /* connections             */
    TOWN_DEAF,    /* they are never answered */
    TOWN_SILENT,  /* requests are not        */
    TOWN_FAILS,   /* it says 503             */
    TOWN_BREAKS,  /* it closes instead of an answer */
    TOWN_MOODS
};
struct town_service {
    const char *address;
    gw_nanos work;  /* on one request                              */
    uint32_t slots; /* requests at once; the others stand in line  */
    const char
        *calls; /* this path of the gateway for each request, and waits for it; NULL: nothing */
    const char *calls_of; /* ... only for requests of such a path; NULL: all */
    gw_nanos greeting;    /* more work on the first request of a connection */
    enum town_mood mood;
    uint32_t connections_max; /* others are refused; 0: none is */
    /* Seen. */
    uint32_t busy, line_first, line_last, line_len;
    uint32_t connections, connections_most;
    uint64_t connected, asked, done, wasted; /* wasted: done, and nobody waited any more */
};

/* Callers of one kind: one after the other, however the earlier ones fare. */
struct town_crowd {
    const char *method, *path;
    gw_nanos from, until, gap; /* gap: between two of them, on average */
    gw_nanos patience;         /* then they leave; 0: never            */
    uint32_t again;            /* who fails asks again, so many times  */
    uint32_t users;            /* so many different ones; 0: nobody says who it is */
    bool keeps;                /* connections for the next one         */
    uint64_t came;
};

struct town_ask {          /* one request */
    uint32_t crowd;        /* TOWN_NOBODY: a service's */
    uint32_t job;          /* ... for that job         */
    uint32_t user, worker; /* user 0: none             */
    uint32_t again;
    bool is_post, is_done, is_refused_early;
    gw_nanos began, ended;
    uint32_t code; /* 0: no answer */
    uint32_t seen; /* whole, by a service */
    uint32_t wire, turn;
    /* By the gateway's hooks, on the gateway's clock. */
    uint64_t order; /* among all that were routed; 0: it was not */
    gw_nanos routed;
    uint64_t over_order; /* likewise: when it was over */
    uint32_t begun, over, tries;
    uint32_t sent_code; /* what it was answered, perhaps without anybody to hear it */
    bool is_limited;    /* its route has limiters */
    bool has_retry_after;
    gw_cause cause;
};

struct town_event {
    gw_nanos when;
    uint64_t order;
    uint32_t what, who, turn;
};

struct town_idle {
    uint32_t wire, turn;
};

struct town_job { /* one request in a service */
    uint32_t service, wire, turn, next;
    bool calls;
    gw_nanos work;
};

struct town {
    uint64_t seed;
    gw_nanos now;
    gw_nanos latency; /* each way */
    struct gw_prng prng;
    bool is_tracing;
    /* The gateway's clock is now + lead, but while it stands. */
    int64_t lead;
    bool is_standing;
    gw_nanos stands_at;
    int64_t wall_lead; /* its wall clock is as far from the right time */
    gw_engine *engine;
    gw_worker *workers[TOWN_WORKERS];
    uint32_t workers_len;
    bool is_awake[TOWN_WORKERS];
    gw_allocator allocator;
    uint64_t memory, allocations, fail_alloc_at, allocations_failed;
    bool fails_for_ever;
    struct town_event *events;
    uint32_t events_len, events_room;
    uint64_t order, routed;
    struct town_wire **wires;
    uint32_t wires_len, wires_room;
    uint32_t *free_wires;
    uint32_t free_len;
    struct town_idle *idle; /* callers' connections, the one used last at the end */
    uint32_t idle_len, idle_room;
    struct town_ask *asks;
    uint32_t asks_len, asks_room, asks_open;
    struct town_job *jobs;
    uint32_t jobs_len, jobs_room, free_job;
    struct town_service services[TOWN_SERVICES];
    uint32_t services_len;
    struct town_crowd crowds[TOWN_CROWDS];
    uint32_t crowds_len;
    uint32_t callers, callers_most; /* connections of callers */
    /* Of whoever uses it. */
    void *user;
    void (*act)(struct town *t, uint32_t what);          /* town_later   */
    void (*after_step)(struct town *t, uint32_t worker); /* NULL: nobody asks */
};

/* town.c */
_Noreturn void town_fail(struct town *t, const char *file, int line, const char *what,
                         const char *format, ...) __attribute__((format(printf, 5, 6)));
void town_trace(struct town *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct town *town_new(uint64_t seed);
/* Its hooks, which each configuration must have. */
gw_filter town_filter(struct town *t);
gw_env town_env(struct town *t);
/* Takes the reference of config. False: an allocation has failed. */
bool town_open(struct town *t, gw_config *config, const gw_limits *limits, uint32_t workers);
/* Until that time, or until nothing will happen any more. */
void town_run(struct town *t, gw_nanos until);
/* Nobody comes any more; all that is there is ended. */
void town_close(struct town *t);
void town_free(struct town *t);
void town_later(struct town *t, gw_nanos delay, uint32_t what);
/* The gateway's clock steps; one that goes back, or stands, is a clock that stands still for it. */
void town_step_clock(struct town *t, int64_t by);
void town_stop_clock(struct town *t, bool stands);
gw_nanos town_clock(const struct town *t);
uint64_t town_below(struct town *t, uint64_t n);
uint64_t town_stat(const struct town *t, const char *name); /* of all workers */

/* Inside. */
enum {
    TOWN_EV_CONNECTED,
    TOWN_EV_IN,
    TOWN_EV_OUT,
    TOWN_EV_DONE,
    TOWN_EV_COME,
    TOWN_EV_PATIENCE,
    TOWN_EV_ACT
};
void town_at(struct town *t, gw_nanos delay, uint32_t what, uint32_t who, uint32_t turn);
/* town_wire.c */
extern const gw_io_ops town_io;
struct town_wire *town_wire_new(struct town *t, uint32_t worker);
void town_wire_say(struct town *t, struct town_wire *w, const char *text);
void town_wire_end(struct town *t, struct town_wire *w); /* by the other one */
void town_wire_event(struct town *t, const struct town_event *e);
void town_bytes_put(struct town_bytes *b, const void *bytes, size_t len);
void town_bytes_drop(struct town_bytes *b, size_t len);
/* town_people.c */
uint32_t town_service(struct town *t, const char *address, gw_nanos work, uint32_t slots);
void town_crowd(struct town *t, const struct town_crowd *crowd);
void town_ask(struct town *t, uint32_t crowd, uint32_t job, uint32_t again);
void town_hear(struct town *t, struct town_wire *w); /* bytes, or the end, are there */
void town_people_event(struct town *t, const struct town_event *e);
struct town_ask *town_ask_of(struct town *t, const gw_exchange *x); /* NULL: nobody's */

#endif
