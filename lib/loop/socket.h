/* loop/socket.h: stream sockets by address text: listen, connect, accept, names, and what an errno
 * is called here. Every socket that is made is non-blocking and closed by exec; TCP without delay. */
#ifndef GW_LOOP_SOCKET_H
#define GW_LOOP_SOCKET_H

#include "base/address.h"

/* A room for any address text. */
struct gw_socket_name {
    size_t len; /* 0: not known */
    char text[GW_ADDRESS_TEXT_MAX];
};
static inline gw_str gw_socket_name_str(const struct gw_socket_name *name)
{
    return (gw_str){ name->text, name->len };
}

/* Never GW_OK, never GW_AGAIN. */
gw_status gw_socket_status(int error);
/* flags: GW_LISTEN_*. A Unix socket's path that nobody answers any more is taken over. GW_EINVAL: a
 * name; GW_EREFUSED: in use or not permitted; GW_ELIMIT: no descriptors left; GW_EIO. */
gw_status gw_socket_listen(const gw_address *address, uint32_t flags, int backlog, int *out)
    GW_MUST_CHECK;
/* GW_OK: connected, or (*is_pending) it will be writable when the result is there. */
gw_status gw_socket_connect(const gw_address *address, int *out, bool *is_pending) GW_MUST_CHECK;
/* The result of a pending connect, once the socket is writable. */
gw_status gw_socket_connected(int fd) GW_MUST_CHECK;
/* The next connection of a listener, with its peer's name. GW_AGAIN: none; GW_ERESET: it is gone
 * already, ask for the next; GW_ELIMIT: no descriptor or memory for it now, it stays in the queue;
 * GW_EIO: the listener is broken. */
gw_status gw_socket_accept(int listener, int *out, struct gw_socket_name *peer) GW_MUST_CHECK;
/* A socket that the host made: non-blocking, no delay. GW_EINVAL: not a socket. */
gw_status gw_socket_adopt(int fd) GW_MUST_CHECK;
bool gw_socket_is_listening(int fd);
/* Is the name the same for every connection that fd accepts? Not if bound to any address. */
bool gw_socket_is_wild(int fd);
void gw_socket_local(int fd, struct gw_socket_name *out);
void gw_socket_peer(int fd, struct gw_socket_name *out);

#endif
