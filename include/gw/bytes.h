/* gw/bytes.h: mode 1, the host moves the bytes. No system call, no descriptor.
 *
 *     gw_worker_accept(w, &spec, &link);          a client is there
 *     read into gw_link_room, then gw_link_received(link, n, GW_OK);
 *     gw_worker_step(w, now);
 *     while (gw_bytes_next(w, &notice))           what changed
 *         notice.want: CONNECT? dial gw_link_get_destination, then gw_link_connected
 *                      WRITE?   send gw_link_unsent, then gw_link_sent
 *                      READ?    read when bytes are there
 *                      CLOSE?   close, then gw_link_closed
 */
#ifndef GW_BYTES_H
#define GW_BYTES_H

#include <gw/worker.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gw_notice {
    uint32_t size;
    uint32_t want; /* GW_WANT_*: the level now; a new upstream link shows with GW_WANT_CONNECT */
    gw_link *link;
    void *user;
} gw_notice;
/* The next link whose want has changed since it was last told; fills what out->size covers. Between
 * steps, until false: none, or out has no size. out->link lives until its gw_link_closed. */
GW_API bool gw_bytes_next(gw_worker *w, gw_notice *out);

#ifdef __cplusplus
}
#endif
#endif
