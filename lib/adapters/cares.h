/* adapters/cares.h: questions to name servers and the bytes of their answers. */
#ifndef GW_ADAPTERS_CARES_H
#define GW_ADAPTERS_CARES_H

#include "base/heap.h"

struct gw_asker;

/* What has become of a question: a response (bytes), whatever it says; or none, and why, a static text. May
 * be called inside gw_asker_ask. */
typedef void gw_asker_told_fn(void *ctx, uint64_t tag, const uint8_t *bytes, size_t len,
                              const char *why);

/* servers: "10.0.0.1:53,[::1]:53", zero-terminated; empty: those of the system. GW_ENOMEM; GW_ESTATE: no
 * descriptor is left. */
gw_status gw_asker_new(struct gw_heap *heap, gw_str servers, gw_asker_told_fn *told, void *ctx,
                       struct gw_asker **out) GW_MUST_CHECK;
/* Nobody is told of what is under way. */
void gw_asker_free(struct gw_asker *a);
/* Readable when there is something to read or to write. */
int gw_asker_fd(const struct gw_asker *a);
/* name: zero-terminated; type: as in a question. Exactly one told follows, unless a is freed. */
void gw_asker_ask(struct gw_asker *a, const char *name, uint32_t type, uint64_t tag);
/* Reads, writes, and gives up what is late. */
void gw_asker_step(struct gw_asker *a);
/* In how many nanoseconds a step is due at the latest; UINT64_MAX: nothing is under way. */
gw_nanos gw_asker_wait(const struct gw_asker *a);

#endif
