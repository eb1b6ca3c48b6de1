/* recall.h: what became of a worker's last requests, as JSON. */
#ifndef GW_PROGRAM_RECALL_H
#define GW_PROGRAM_RECALL_H

#include "crew.h"

/* For crew_each: a line each on stderr, the last one first. */
void recall(struct crew_member *member, void *ctx);

#endif
