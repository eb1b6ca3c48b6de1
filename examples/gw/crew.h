/* crew.h: an engine and its workers, each a thread with a loop of its own.
 *
 *     crew_open  crew_configure  crew_start  crew_configure ...  crew_drain  crew_join  crew_close
 *
 * or, for listeners that the caller has opened: crew_apply and crew_listen_fd, before crew_start. All but
 * crew_drain and crew_stop belong to one thread.
 */
#ifndef GW_PROGRAM_CREW_H
#define GW_PROGRAM_CREW_H

#include "access_log.h"
#include "names.h"

#include <gw/loop.h>

#include <pthread.h>

struct crew;

/* One worker. */
struct crew_member {
    struct crew *crew;
    gw_loop *loop;
    uint32_t index; /* from 0 */
    pthread_t thread;
    gw_status result; /* why its loop ended, once it was joined */
    gw_visit visit;
    /* Under the crew's lock. */
    bool has_ended; /* its thread touches nothing any more */
    void (*errand)(struct crew_member *member,
                   void *ctx); /* to be done in its thread; NULL: none */
    void *errand_ctx;
    struct access_buffer log;
};

struct crew {
    bool is_open;
    gw_engine *engine;
    gw_config *config; /* the one that runs; NULL: none that crew_configure has brought */
    struct door *doors;
    struct names names; /* for what crew_configure has brought */
    struct crew_member *members;
    pthread_mutex_t lock;
    pthread_cond_t done; /* an errand, or a thread */
    uint32_t count;      /* of members that have a loop              */
    uint32_t started;    /* of those, how many have a thread          */
    int notify_fd;       /* a byte is written when a worker ends; -1 */
    char notify_byte;
};

struct crew_spec {
    uint32_t workers;
    uint32_t kind;           /* GW_LOOP_*; 0: the best          */
    const gw_limits *limits; /* NULL: defaults                  */
    struct access_log *log;  /* fd -1: none                     */
    int notify_fd;           /* -1: nobody is told              */
    char notify_byte;        /* what tells that a worker ended  */
};

/* Each answers false, or a status, after it has said what is wrong. */
bool crew_open(struct crew *crew, const struct crew_spec *spec);
bool crew_apply(struct crew *crew, gw_config *config);
/* The configuration and its listeners: both are as config says, or as they were before. At any time until
 * crew_drain. */
bool crew_configure(struct crew *crew, gw_config *config);
/* In every worker's thread, one after the other or at once; returns when all are done. */
void crew_each(struct crew *crew, void (*errand)(struct crew_member *member, void *ctx), void *ctx);
/* One that listens already, with the first worker; takes fd. */
bool crew_listen_fd(struct crew *crew, int fd, const char *listener);
bool crew_start(struct crew *crew);
void crew_drain(struct crew *crew, uint32_t grace_ms);
void crew_stop(struct crew *crew);
/* Until every thread has ended; false: one of them failed. */
bool crew_join(struct crew *crew);
/* After crew_join, or when there is no thread yet. */
void crew_close(struct crew *crew);

#endif
