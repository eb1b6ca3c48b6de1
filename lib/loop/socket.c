/* loop/socket.c: the socket calls that a connection needs once in its life. What is called for every
 * message stands in loop.c.
 */
#define _GNU_SOURCE
#include "loop/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <gw/loop.h>

union any_address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

_Static_assert(sizeof(((struct sockaddr_un *)NULL)->sun_path) > GW_ADDRESS_PATH_MAX,
               "a path of the longest length fits");

gw_status gw_socket_status(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ENOENT: /* a Unix socket that is not there */
        return GW_EREFUSED;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return GW_EUNREACHABLE;
    case ETIMEDOUT:
        return GW_ETIMEDOUT;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
        return GW_ERESET;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return GW_ELIMIT;
    default:
        return GW_EIO;
    }
}

/* The length for the system; 0: not an address that can be bound or dialled. */
static socklen_t to_system(const gw_address *address, union any_address *out)
{
    memset(out, 0, sizeof(*out));
    switch (address->kind) {
    case GW_ADDRESS_IPV4:
        out->in.sin_family = AF_INET;
        out->in.sin_port = htons((uint16_t)address->port);
        memcpy(&out->in.sin_addr, address->ip, 4);
        return sizeof(out->in);
    case GW_ADDRESS_IPV6:
        out->in6.sin6_family = AF_INET6;
        out->in6.sin6_port = htons((uint16_t)address->port);
        memcpy(&out->in6.sin6_addr, address->ip, 16);
        return sizeof(out->in6);
    case GW_ADDRESS_UNIX:
        if (address->name.len == 0 || address->name.len > GW_ADDRESS_PATH_MAX)
            return 0;
        out->un.sun_family = AF_UNIX;
        memcpy(out->un.sun_path, address->name.ptr, address->name.len);
        return sizeof(out->un);
    default:
        return 0;
    }
}

/* A client binds what path it likes, and names come into logs: a line must stay one. */
static void make_safe(struct gw_socket_name *name)
{
    for (size_t i = 0; i < name->len; i++)
        if ((unsigned char)name->text[i] < ' ' || name->text[i] == 0x7f)
            name->text[i] = '?';
}

/* An IPv4 peer of a socket for both families is shown as what it is. */
static void to_name(const union any_address *from, socklen_t len, struct gw_socket_name *out)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    gw_address a = { 0 };
    switch (from->any.sa_family) {
    case AF_INET:
        a.kind = GW_ADDRESS_IPV4;
        a.port = ntohs(from->in.sin_port);
        memcpy(a.ip, &from->in.sin_addr, 4);
        break;
    case AF_INET6:
        a.kind = GW_ADDRESS_IPV6;
        a.port = ntohs(from->in6.sin6_port);
        memcpy(a.ip, &from->in6.sin6_addr, 16);
        if (memcmp(a.ip, mapped, sizeof(mapped)) == 0) {
            a.kind = GW_ADDRESS_IPV4;
            memmove(a.ip, a.ip + 12, 4);
        }
        break;
    case AF_UNIX:
        a.kind = GW_ADDRESS_UNIX;
        a.name.ptr = from->un.sun_path;
        /* A client's socket has no name and no path; an abstract one starts with a zero byte. */
        if (len > offsetof(struct sockaddr_un, sun_path))
            a.name.len = strnlen(from->un.sun_path, len - offsetof(struct sockaddr_un, sun_path));
        break;
    default:
        break;
    }
    out->len = gw_address_format(&a, out->text);
    if (a.kind == GW_ADDRESS_UNIX)
        make_safe(out);
}

static void set_on(int fd, int level, int name)
{
    int one = 1;
    /* What cannot be set is not worth failing for: each of these only makes things better. */
    (void)setsockopt(fd, level, name, &one, sizeof(one));
}

/* Is the path a socket that nobody answers? A dead process leaves such; connecting to a plain file is
 * refused too. */
static bool is_left_over(const union any_address *address, socklen_t len)
{
    struct stat st;
    if (lstat(address->un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool is_dead = connect(fd, &address->any, len) != 0 && errno == ECONNREFUSED;
    close(fd);
    return is_dead;
}

static int bind_at(int fd, const union any_address *address, socklen_t len)
{
    if (bind(fd, &address->any, len) == 0)
        return 0;
    if (errno != EADDRINUSE || address->any.sa_family != AF_UNIX)
        return -1;
    if (!is_left_over(address, len)) {
        errno = EADDRINUSE;
        return -1;
    }
    if (unlink(address->un.sun_path) != 0)
        return -1;
    return bind(fd, &address->any, len);
}

static gw_status listen_status(int error)
{
    switch (error) {
    case EADDRINUSE:
    case EADDRNOTAVAIL:
    case EACCES:
    case EPERM:
        return GW_EREFUSED;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return GW_ELIMIT;
    default:
        return GW_EIO;
    }
}

gw_status gw_socket_listen(const gw_address *address, uint32_t flags, int backlog, int *out)
{
    union any_address at;
    socklen_t len = to_system(address, &at);
    if (len == 0)
        return GW_EINVAL;
    int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return listen_status(errno);
    if (at.any.sa_family != AF_UNIX) {
        set_on(fd, SOL_SOCKET, SO_REUSEADDR);
        set_on(fd, IPPROTO_TCP, TCP_NODELAY); /* inherited by what is accepted */
        if ((flags & GW_LISTEN_REUSEPORT) != 0)
            set_on(fd, SOL_SOCKET, SO_REUSEPORT);
    }
    if (at.any.sa_family == AF_INET6) {
        int only = (flags & GW_LISTEN_V6ONLY) != 0;
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
    }
    if (bind_at(fd, &at, len) != 0 || listen(fd, backlog) != 0) {
        gw_status status = listen_status(errno);
        close(fd);
        return status;
    }
    *out = fd;
    return GW_OK;
}

gw_status gw_socket_connect(const gw_address *address, int *out, bool *is_pending)
{
    union any_address to;
    socklen_t len = to_system(address, &to);
    if (len == 0)
        return GW_EINVAL;
    int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return gw_socket_status(errno);
    if (to.any.sa_family != AF_UNIX)
        set_on(fd, IPPROTO_TCP, TCP_NODELAY);
    int failure = connect(fd, &to.any, len) == 0 ? 0 : errno;
    /* An interrupted connect goes on by itself. A full queue of a Unix socket (EAGAIN) gives no
     * notice when it empties: that is a refusal. */
    bool pending = failure == EINPROGRESS || failure == EINTR;
    if (failure != 0 && !pending) {
        close(fd);
        return failure == EAGAIN ? GW_EREFUSED : gw_socket_status(failure);
    }
    *out = fd;
    *is_pending = pending;
    return GW_OK;
}

gw_status gw_socket_connected(int fd)
{
    int failure = 0;
    socklen_t len = sizeof(failure);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len) != 0)
        failure = errno;
    return failure == 0 ? GW_OK : gw_socket_status(failure);
}

gw_status gw_socket_accept(int listener, int *out, struct gw_socket_name *peer)
{
    union any_address from;
    socklen_t len = sizeof(from);
    int fd = accept4(listener, &from.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        to_name(&from, len, peer);
        *out = fd;
        return GW_OK;
    }
    switch (errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return GW_ELIMIT;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
    case EFAULT:
        return GW_EIO;
    case EAGAIN:
        return GW_AGAIN;
    default:
        /* The network's troubles of one connection that is gone (accept(2)): the next, please. */
        return GW_ERESET;
    }
}

gw_status gw_socket_adopt(int fd)
{
    int flags = fcntl(fd, F_GETFL), type = 0;
    socklen_t len = sizeof(type);
    if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_STREAM)
        return GW_EINVAL;
    if ((flags & O_NONBLOCK) == 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return GW_EIO;
    set_on(fd, IPPROTO_TCP, TCP_NODELAY);
    return GW_OK;
}

void gw_socket_local(int fd, struct gw_socket_name *out)
{
    union any_address at;
    socklen_t len = sizeof(at);
    out->len = 0;
    if (getsockname(fd, &at.any, &len) == 0)
        to_name(&at, len, out);
}

void gw_socket_peer(int fd, struct gw_socket_name *out)
{
    union any_address at;
    socklen_t len = sizeof(at);
    out->len = 0;
    if (getpeername(fd, &at.any, &len) == 0)
        to_name(&at, len, out);
}

bool gw_socket_is_listening(int fd)
{
    int yes = 0;
    socklen_t len = sizeof(yes);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes != 0;
}

bool gw_socket_is_wild(int fd)
{
    static const uint8_t zeros[16];
    union any_address at;
    socklen_t len = sizeof(at);
    if (getsockname(fd, &at.any, &len) != 0)
        return true;
    switch (at.any.sa_family) {
    case AF_INET:
        return memcmp(&at.in.sin_addr, zeros, 4) == 0;
    case AF_INET6:
        return memcmp(&at.in6.sin6_addr, zeros, 16) == 0;
    default:
        return false;
    }
}
