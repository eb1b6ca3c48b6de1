/* os/env.h: what the library asks of the world where the host says nothing. */
#ifndef GW_OS_ENV_H
#define GW_OS_ENV_H

#include <gw/env.h>

/* Fills in what env leaves open: the allocator (if none of it is set), entropy, the wall clock, a
 * pause. */
void gw_os_env_fill(gw_env *env);
/* A number that no other thread has that is alive; not 0. */
uintptr_t gw_os_thread(void);

#endif
