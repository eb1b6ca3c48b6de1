/* gw/io.h: a backend moves the bytes. The built-in loops and the simulator are written to it.
 *
 * Completion shaped: one outstanding recv and one outstanding send a link. An operation that
 * returns a failure makes no report: the library answers with close. A completion may be reported
 * before the operation returns. All run inside gw_worker_step, in the worker's thread.
 */
#ifndef GW_IO_H
#define GW_IO_H

#include <gw/link.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gw_io_ops {
    uint32_t size;
    uint32_t reserved;
    const char *name;
    /* Ends in gw_link_connected, or, if closed before, in gw_link_closed alone. */
    gw_status (*connect)(void *io, gw_link *l, const gw_destination *target);
    /* Ends in gw_link_received. The backend asks gw_link_room when bytes are there, so that an
     * idle link holds no memory. */
    gw_status (*recv)(void *io, gw_link *l);
    /* Ends in gw_link_sent, perhaps of less. v's bytes stay until then; v itself does not. */
    gw_status (*send)(void *io, gw_link *l, const gw_const_span *v, size_t n);
    /* FIN; never with a send in flight. Ends in gw_link_sent(0, GW_EOF). */
    gw_status (*shutdown)(void *io, gw_link *l);
    /* Cancels what is in flight; ends in gw_link_closed, perhaps before it returns. */
    void (*close)(void *io, gw_link *l);
    /* The connection goes back to the host (GW_ACCEPT_RETURN), open. Cancels a recv, reports what that
     * got, then hands over the transport and gw_link_unread; ends in gw_link_closed, perhaps before it
     * returns. Never with a send in flight; nothing is asked after it. NULL: it cannot. */
    gw_status (*give_back)(void *io, gw_link *l);
} gw_io_ops;

#ifdef __cplusplus
}
#endif
#endif
