/* gw/link.h: one connection to one peer. The same reports in every mode: bytes, own backend,
 * built-in loops.
 *
 * Reports only record; the next gw_worker_step acts on them. They may be made inside the backend's
 * operations. All belong to the worker's thread. They are for who moves the bytes: a host in mode 1, or
 * a backend. In a loop of gw/loop.h they are the loop's to make, and never its host's.
 */
#ifndef GW_LINK_H
#define GW_LINK_H

#include <gw/env.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is known of a connection. Copied from the host; views given out live as long as the link.
 * What follows local is of a host that ends TLS itself and hands over what is clear. Texts without
 * control bytes; an empty one: not known. */
typedef struct gw_facts {
    uint32_t size;
    uint32_t protocol; /* GW_PROTO_*: one bit; 0: not yet known     */
    gw_str peer;       /* address text, or any stable text of at most 128 bytes */
    gw_str local;
    uint32_t is_secure;   /* 1: the client came under TLS: https, whatever it says      */
    uint32_t is_verified; /* 1: its certificate was verified                            */
    gw_str server_name;   /* that the client asked for; up to 255 bytes                 */
    gw_str alpn;          /* "h2", "http/1.1", "http/1.0": decides what is spoken; or empty */
    gw_str tls_version;   /* "TLSv1.3"; up to 32                                        */
    gw_str cipher;        /* up to 64                                                   */
    gw_str peer_identity; /* SPIFFE id, SAN or subject of its certificate; up to 512    */
} gw_facts;

/* Whom to connect to; the library fills it. Views live as long as the link. */
typedef struct gw_destination {
    uint32_t size;
    uint32_t protocols;
    gw_str address, cluster, endpoint;
} gw_destination;

enum {
    GW_WANT_READ = 1u,
    GW_WANT_WRITE = 2u,
    GW_WANT_CONNECT = 4u,
    /* All is sent: end the writing side, then report gw_link_sent(0, GW_EOF). */
    GW_WANT_SHUTDOWN = 8u,
    /* It is the host's again (GW_ACCEPT_RETURN): take gw_link_unread, keep the connection open, then
     * report gw_link_closed. */
    GW_WANT_RETURN = 16u,
    /* Close it, then report gw_link_closed. */
    GW_WANT_CLOSE = 32u
};
/* What the library wants of this link now: a level, to be asked at any time. */
GW_API uint32_t gw_link_want(const gw_link *l);
/* The worker that it belongs to. */
GW_API gw_worker *gw_link_worker(const gw_link *l);
/* The host's pointer: from gw_accept_spec, or set; NULL for a connection that the library wants. */
GW_API void *gw_link_user(const gw_link *l);
GW_API void gw_link_set_user(gw_link *l, void *user);
/* The backend's pointer, likewise. */
GW_API void *gw_link_io(const gw_link *l);
GW_API void gw_link_set_io(gw_link *l, void *io);
/* What is known of it; fills what out->size covers. Views live as long as the link. */
GW_API gw_status gw_link_get_facts(const gw_link *l, gw_facts *out);
/* Whom to connect to; fills what out->size covers. Views live as long as the link. GW_ESTATE: an
 * accepted link has none. */
GW_API gw_status gw_link_get_destination(const gw_link *l, gw_destination *out);
/* No new exchange; closes when those in flight have ended. One that is still being connected is
 * given up: who waited for it gets another. */
GW_API void gw_link_finish(gw_link *l);
/* Ends it with the next step, whatever is in flight: its exchanges end with GW_BY_HOST. */
GW_API void gw_link_abort(gw_link *l);

/* The connection is there, or it is not. result GW_OK, or why not (GW_EREFUSED, GW_EUNREACHABLE,
 * GW_ETIMEDOUT, GW_EIO). facts may be NULL; a protocol there that is not the destination's is a
 * failure too. */
GW_API void gw_link_connected(gw_link *l, gw_status result, const gw_facts *facts);
/* Rooms to read into, up to max of them (one readv). Returns how many; 0: no memory now,
 * GW_WANT_READ is not there, or much was received since the last step; then a notice or an
 * operation tells when to read on. Valid until gw_link_received, or the next call. O(max); takes
 * blocks of the pool. */
GW_API size_t gw_link_room(gw_link *l, gw_span *out, size_t max);
/* len bytes lie in the rooms, in order; 0 gives them back; more than was lent ends the link. GW_OK:
 * perhaps more is there; GW_AGAIN: no more now; GW_EOF or an error ends the reading side.
 * GW_ERESET: both sides are gone. */
GW_API void gw_link_received(gw_link *l, size_t len, gw_status result);
/* The bytes to send, as up to max spans; returns how many. Valid until gw_link_sent. Mode 1; and
 * for a backend whose send had to wait: those of the send come first, what was added since
 * follows. */
GW_API size_t gw_link_unsent(const gw_link *l, gw_const_span *out, size_t max);
/* len bytes of those were accepted by the transport. More than those, or an error, ends the link.
 * (0, GW_EOF): the GW_WANT_SHUTDOWN is done. */
GW_API void gw_link_sent(gw_link *l, size_t len, gw_status result);
/* A link that goes back to the host: all that was read of it and belongs to the host, from the first
 * byte of the request that nobody claims, as up to max spans. Returns how many spans there are, which
 * may be more than max; 0: it does not go back. Valid until gw_link_closed. O(spans). */
GW_API size_t gw_link_unread(const gw_link *l, gw_const_span *out, size_t max);
/* The last word on every link, failed connects too, exactly once: no operation is in flight, no
 * notice for l will follow, l is gone. May come at any time. */
GW_API void gw_link_closed(gw_link *l);

#ifdef __cplusplus
}
#endif
#endif
