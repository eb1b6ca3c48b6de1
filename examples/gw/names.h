/* names.h: clusters whose endpoints come from DNS: who asks, in a thread of its own. */
#ifndef GW_PROGRAM_NAMES_H
#define GW_PROGRAM_NAMES_H

#include <gw/resolver.h>

#include <pthread.h>
#include <stdbool.h>

struct names {
    gw_resolver *resolver; /* NULL: no configuration has asked for one yet */
    pthread_t thread;
    bool is_running;
};

/* config will be in force: then somebody asks for what it wants to know. False: that cannot be; it was
 * said. */
bool names_follow(struct names *names, gw_engine *engine, const gw_config *config);
/* Until every cluster has heard something, for at most five seconds, or a signal. Before names_start. */
void names_wait(struct names *names);
/* False: there is no thread; it was said. Without a resolver nothing is done, now. */
bool names_start(struct names *names);
/* Before the engine is freed. */
void names_end(struct names *names);

#endif
