/* The socket calls of the built-in loops, against real sockets on loopback. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <gw/loop.h>

#include "check_main.h"
#include "loop/socket.h"
#include "loop_suites.h"

static gw_address address_of(const char *text)
{
    gw_address a;
    ck_assert_int_eq(gw_address_parse(gw_cstr(text), &a), GW_OK);
    return a;
}

static gw_address bound_address(int fd, struct gw_socket_name *name)
{
    gw_address a;
    gw_socket_local(fd, name);
    ck_assert_int_eq(gw_address_parse(gw_socket_name_str(name), &a), GW_OK);
    return a;
}

static void wait_for(int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };
    ck_assert_int_eq(poll(&p, 1, 10000), 1);
}

static int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof(value);
    ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void check_modes(int fd)
{
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
}

static int connect_fully(const gw_address *to)
{
    int fd;
    bool is_pending;
    ck_assert_int_eq(gw_socket_connect(to, &fd, &is_pending), GW_OK);
    if (is_pending)
        wait_for(fd, POLLOUT);
    ck_assert_int_eq(gw_socket_connected(fd), GW_OK);
    return fd;
}

static void meet(const char *text, const char *peer_starts)
{
    gw_address at = address_of(text), to;
    struct gw_socket_name name, peer, seen;
    int listener, client, server;
    ck_assert_int_eq(gw_socket_listen(&at, 0, 16, &listener), GW_OK);
    check_modes(listener);
    ck_assert_int_eq(gw_socket_accept(listener, &server, &peer), GW_AGAIN);
    to = bound_address(listener, &name);
    client = connect_fully(&to);
    wait_for(listener, POLLIN);
    ck_assert_int_eq(gw_socket_accept(listener, &server, &peer), GW_OK);
    check_modes(server);
    check_modes(client);
    ck_assert_mem_eq(peer.text, peer_starts, strlen(peer_starts));
    gw_socket_local(client, &seen);
    ck_assert_uint_eq(seen.len, peer.len);
    ck_assert_mem_eq(seen.text, peer.text, peer.len);
    gw_socket_peer(client, &seen);
    ck_assert_uint_eq(seen.len, name.len);
    ck_assert_mem_eq(seen.text, name.text, name.len);
    if (at.kind != GW_ADDRESS_UNIX) {
        ck_assert_int_ne(option(server, IPPROTO_TCP, TCP_NODELAY), 0);
        ck_assert_int_ne(option(client, IPPROTO_TCP, TCP_NODELAY), 0);
    }
    close(client);
    close(server);
    close(listener);
}

START_TEST(ipv4)
{
    meet("127.0.0.1:0", "127.0.0.1:");
}
END_TEST

START_TEST(ipv6)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 probe = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    bool there = fd >= 0 && bind(fd, (struct sockaddr *)&probe, sizeof(probe)) == 0;
    if (fd >= 0)
        close(fd);
    if (there)
        meet("[::1]:0", "[::1]:");
}
END_TEST

static char folder[64];
static char path[128];
static void make_folder(void)
{
    memcpy(folder, "/tmp/gw-socket-XXXXXX", 22);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "unix:%s/s", folder);
}
static void drop_folder(void)
{
    unlink(path + 5);
    ck_assert_int_eq(rmdir(folder), 0);
}

START_TEST(unix_socket)
{
    meet(path, "unix:");
}
END_TEST

/* A client's path is its own choice, and comes into a log. */
START_TEST(unix_path_of_a_client)
{
    gw_address at = address_of(path);
    struct sockaddr_un own = { .sun_family = AF_UNIX };
    struct gw_socket_name peer;
    char want[128];
    int listener, server, client = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(gw_socket_listen(&at, 0, 16, &listener), GW_OK);
    snprintf(own.sun_path, sizeof(own.sun_path), "%s/a\nb\x7f", folder);
    ck_assert_int_eq(bind(client, (struct sockaddr *)&own, sizeof(own)), 0);
    snprintf(own.sun_path, sizeof(own.sun_path), "%s/s", folder);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&own, sizeof(own)), 0);
    ck_assert_int_eq(gw_socket_accept(listener, &server, &peer), GW_OK);
    snprintf(want, sizeof(want), "unix:%s/a?b?", folder);
    ck_assert_uint_eq(peer.len, strlen(want));
    ck_assert_mem_eq(peer.text, want, peer.len);
    snprintf(want, sizeof(want), "%s/a\nb\x7f", folder);
    ck_assert_int_eq(unlink(want), 0);
    close(client);
    close(server);
    close(listener);
}
END_TEST

/* A path that a dead process left is taken over; one that is answered is not, nor is a file. */
START_TEST(unix_path_taken_over)
{
    gw_address at = address_of(path);
    int first, second;
    ck_assert_int_eq(gw_socket_listen(&at, 0, 16, &first), GW_OK);
    ck_assert_int_eq(gw_socket_listen(&at, 0, 16, &second), GW_EREFUSED);
    close(first);
    ck_assert_int_eq(gw_socket_listen(&at, 0, 16, &second), GW_OK);
    close(second);
    unlink(path + 5);
    int file = open(path + 5, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(file, 0);
    close(file);
    gw_status status = gw_socket_listen(&at, 0, 16, &first);
    ck_assert_int_ne(status, GW_OK);
    struct stat st;
    ck_assert_int_eq(stat(path + 5, &st), 0);
    ck_assert(S_ISREG(st.st_mode));
}
END_TEST

START_TEST(refused)
{
    gw_address at = address_of("127.0.0.1:0"), to;
    struct gw_socket_name name;
    int listener, fd;
    bool is_pending;
    ck_assert_int_eq(gw_socket_listen(&at, 0, 1, &listener), GW_OK);
    to = bound_address(listener, &name);
    close(listener);
    gw_status status = gw_socket_connect(&to, &fd, &is_pending);
    if (status == GW_OK) {
        if (is_pending)
            wait_for(fd, POLLOUT);
        status = gw_socket_connected(fd);
        close(fd);
    }
    ck_assert_int_eq(status, GW_EREFUSED);
    at = address_of("unix:/nonexistent/socket");
    ck_assert_int_eq(gw_socket_connect(&at, &fd, &is_pending), GW_EREFUSED);
    at = address_of("name.example:80");
    ck_assert_int_eq(gw_socket_connect(&at, &fd, &is_pending), GW_EINVAL);
    ck_assert_int_eq(gw_socket_listen(&at, 0, 1, &fd), GW_EINVAL);
}
END_TEST

START_TEST(in_use_and_shared)
{
    gw_address at = address_of("127.0.0.1:0"), to;
    struct gw_socket_name name;
    int first, second;
    ck_assert_int_eq(gw_socket_listen(&at, 0, 1, &first), GW_OK);
    to = bound_address(first, &name);
    ck_assert_int_eq(gw_socket_listen(&to, 0, 1, &second), GW_EREFUSED);
    close(first);
    ck_assert_int_eq(gw_socket_listen(&at, GW_LISTEN_REUSEPORT, 1, &first), GW_OK);
    to = bound_address(first, &name);
    ck_assert_int_eq(gw_socket_listen(&to, GW_LISTEN_REUSEPORT, 1, &second), GW_OK);
    close(first);
    close(second);
}
END_TEST

START_TEST(no_descriptors_left)
{
    gw_address at = address_of("127.0.0.1:0"), to;
    struct gw_socket_name name, peer;
    struct rlimit limit;
    int listener, server, fd;
    bool is_pending;
    ck_assert_int_eq(gw_socket_listen(&at, 0, 16, &listener), GW_OK);
    to = bound_address(listener, &name);
    int client = connect_fully(&to);
    wait_for(listener, POLLIN);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit low = { .rlim_cur = (rlim_t)client, .rlim_max = limit.rlim_max };
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    ck_assert_int_eq(gw_socket_accept(listener, &server, &peer), GW_ELIMIT);
    ck_assert_int_eq(gw_socket_connect(&to, &fd, &is_pending), GW_ELIMIT);
    ck_assert_int_eq(gw_socket_listen(&at, 0, 16, &fd), GW_ELIMIT);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    /* It stayed in the queue. */
    ck_assert_int_eq(gw_socket_accept(listener, &server, &peer), GW_OK);
    close(server);
    close(client);
    close(listener);
}
END_TEST

START_TEST(adopted)
{
    int pair[2], tube[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(gw_socket_adopt(pair[0]), GW_OK);
    ck_assert_int_ne(fcntl(pair[0], F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_eq(pipe(tube), 0);
    ck_assert_int_eq(gw_socket_adopt(tube[0]), GW_EINVAL);
    ck_assert_int_eq(gw_socket_adopt(-1), GW_EINVAL);
    close(pair[0]);
    close(pair[1]);
    close(tube[0]);
    close(tube[1]);
}
END_TEST

START_TEST(broken_listener)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), server;
    struct gw_socket_name peer;
    ck_assert_int_eq(gw_socket_accept(fd, &server, &peer), GW_EIO);
    close(fd);
    ck_assert_int_eq(gw_socket_accept(fd, &server, &peer), GW_EIO);
}
END_TEST

START_TEST(wild_or_not)
{
    gw_address wild = address_of("0.0.0.0:0"), one = address_of("127.0.0.1:0");
    int fd;
    ck_assert_int_eq(gw_socket_listen(&wild, 0, 1, &fd), GW_OK);
    ck_assert(gw_socket_is_wild(fd));
    close(fd);
    ck_assert_int_eq(gw_socket_listen(&one, 0, 1, &fd), GW_OK);
    ck_assert(!gw_socket_is_wild(fd));
    close(fd);
}
END_TEST

/* One socket for both families: an IPv4 peer is shown as IPv4. */
START_TEST(both_families)
{
    gw_address at = address_of("[::]:0"), to;
    struct gw_socket_name name, peer;
    int listener, server;
    if (gw_socket_listen(&at, 0, 16, &listener) != GW_OK)
        return; /* no IPv6 here */
    to = bound_address(listener, &name);
    to.kind = GW_ADDRESS_IPV4;
    memcpy(to.ip, (const uint8_t[]){ 127, 0, 0, 1 }, 4);
    int client = connect_fully(&to);
    wait_for(listener, POLLIN);
    ck_assert_int_eq(gw_socket_accept(listener, &server, &peer), GW_OK);
    ck_assert_mem_eq(peer.text, "127.0.0.1:", 10);
    close(client);
    close(server);
    close(listener);
}
END_TEST

START_TEST(errors)
{
    static const struct {
        int error;
        gw_status status;
    } table[] = {
        { ECONNREFUSED, GW_EREFUSED },
        { ENETUNREACH, GW_EUNREACHABLE },
        { EHOSTUNREACH, GW_EUNREACHABLE },
        { ETIMEDOUT, GW_ETIMEDOUT },
        { ECONNRESET, GW_ERESET },
        { EPIPE, GW_ERESET },
        { EMFILE, GW_ELIMIT },
        { EIO, GW_EIO },
        { EBADF, GW_EIO },
        { 0, GW_EIO },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        ck_assert_int_eq(gw_socket_status(table[i].error), table[i].status);
}
END_TEST

Suite *socket_suite(void)
{
    Suite *suite = suite_create("socket");
    check_add(suite, ipv4);
    check_add(suite, ipv6);
    check_add(suite, refused);
    check_add(suite, in_use_and_shared);
    check_add(suite, no_descriptors_left);
    check_add(suite, adopted);
    check_add(suite, broken_listener);
    check_add(suite, wild_or_not);
    check_add(suite, both_families);
    check_add(suite, errors);
    TCase *paths = tcase_create("paths");
    tcase_add_checked_fixture(paths, make_folder, drop_folder);
    tcase_add_test(paths, unix_socket);
    tcase_add_test(paths, unix_path_taken_over);
    tcase_add_test(paths, unix_path_of_a_client);
    suite_add_tcase(suite, paths);
    return suite;
}
