/* reload.h: "gw run" reads its file anew. */
#ifndef GW_PROGRAM_RELOAD_H
#define GW_PROGRAM_RELOAD_H

#include "crew.h"
#include "load.h"

/* What path says now, instead of *running, which it becomes. False: why was said, and nothing has changed:
 * the file cannot be read or is wrong, an address cannot be had, or it changes what is fixed at start. */
bool reload(struct crew *crew, const char *path, struct loaded *running);

#endif
