/* client.c: connecting, and HTTP/1.1 by hand. */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t client_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* On loopback a connection is there or refused at once: connect may block. */
int client_connect(uint16_t port)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    if (connect(fd, (const struct sockaddr *)&name, sizeof name) != 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* ---- bytes out and in at once: a streaming echo answers while it is written to ---- */

struct talk {
    int fd;
    const char *out;
    size_t out_len;
    char *in;
    size_t in_len, in_max;
    bool is_ended, is_broken;
};

static void send_some(struct talk *talk)
{
    ssize_t n = send(talk->fd, talk->out, talk->out_len, MSG_NOSIGNAL);
    if (n > 0) {
        talk->out += n;
        talk->out_len -= (size_t)n;
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        talk->out_len = 0; /* refused in the middle: what was answered is still to be read */
    }
}

static void receive_some(struct talk *talk)
{
    ssize_t n = recv(talk->fd, talk->in + talk->in_len, talk->in_max - talk->in_len, 0);
    if (n > 0)
        talk->in_len += (size_t)n;
    else if (n == 0)
        talk->is_ended = true;
    else if (errno != EAGAIN && errno != EINTR)
        talk->is_broken = true;
}

static bool talk_to_end(struct talk *talk)
{
    uint64_t deadline = client_now_ms() + CLIENT_TIMEOUT_MS;
    while (!talk->is_ended && !talk->is_broken && talk->in_len < talk->in_max) {
        uint64_t now = client_now_ms();
        struct pollfd wait = { .fd = talk->fd, .events = POLLIN };
        if (talk->out_len > 0)
            wait.events |= POLLOUT;
        if (now >= deadline || poll(&wait, 1, (int)(deadline - now)) < 0)
            return false;
        if ((wait.revents & POLLOUT) != 0)
            send_some(talk);
        if ((wait.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            receive_some(talk);
    }
    return talk->is_ended;
}

/* ---- responses ---- */

/* A field's value in a head that ends in a zero; NULL: not there. */
static const char *find_field(const char *head, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':')
            return line + 3 + len + strspn(line + 3 + len, " ");
    return NULL;
}

static bool add_body(struct answer *answer, const char *bytes, size_t len)
{
    if (len > answer->body_max - answer->body_len)
        return false;
    memcpy(answer->body + answer->body_len, bytes, len);
    answer->body_len += len;
    return true;
}

/* Returns what follows the chunks; NULL: they are cut or wrong. at ends in a zero. */
static const char *read_chunks(const char *at, const char *end, struct answer *answer)
{
    for (;;) {
        char *rest = NULL;
        unsigned long len = strtoul(at, &rest, 16);
        const char *line_end = strstr(rest, "\r\n");
        if (rest == at || line_end == NULL || len > (size_t)(end - line_end))
            return NULL;
        at = line_end + 2;
        if (len == 0)
            return strncmp(at, "\r\n", 2) == 0 ? at + 2 : NULL;
        if (len + 2 > (size_t)(end - at) || !add_body(answer, at, len))
            return NULL;
        at += len + 2;
    }
}

static const char *read_body(const char *head, const char *at, const char *end,
                             struct answer *answer)
{
    const char *length = find_field(head, "content-length");
    if (find_field(head, "transfer-encoding") != NULL)
        return read_chunks(at, end, answer);
    size_t len = length != NULL ? strtoul(length, NULL, 10) : (size_t)(end - at);
    if (len > (size_t)(end - at) || !add_body(answer, at, len))
        return NULL;
    return at + len;
}

/* Returns what follows the response; NULL: it is cut or wrong. */
static const char *read_response(char *at, const char *end, struct answer *answer)
{
    char *head_end = strstr(at, "\r\n\r\n");
    if (head_end == NULL || strncmp(at, "HTTP/1.1 ", 9) != 0)
        return NULL;
    head_end[2] = 0; /* the head, as a string of its own, still ends its last line */
    answer->code = (int)strtol(at + 9, NULL, 10);
    const char *upstream = find_field(at, "x-upstream");
    if (upstream != NULL)
        snprintf(answer->upstream, sizeof answer->upstream, "%.*s", (int)strcspn(upstream, "\r"),
                 upstream);
    const char *rest = read_body(at, head_end + 4, end, answer);
    answer->is_whole = rest != NULL;
    return rest;
}

static void read_responses(struct talk *talk, struct answer *answers, size_t n)
{
    const char *end = talk->in + talk->in_len;
    char *at = talk->in;
    talk->in[talk->in_len] = 0;
    for (size_t i = 0; i < n && at != NULL; i++) {
        const char *rest = read_response(at, end, &answers[i]);
        at = rest != NULL ? talk->in + (rest - talk->in) : NULL;
    }
}

static void clear(struct answer *answer)
{
    *answer = (struct answer){ .body = answer->body,
                               .body_max = answer->body_max,
                               .code = CLIENT_NONE,
                               .grpc_status = CLIENT_NONE };
}

bool client_h1(uint16_t port, const void *request, size_t len, struct answer *answers, size_t n)
{
    enum { IN_MAX = 1 << 20 };
    for (size_t i = 0; i < n; i++)
        clear(&answers[i]);
    struct talk talk = { .fd = client_connect(port), .out = request, .out_len = len };
    talk.in = malloc(IN_MAX + 1);
    talk.in_max = IN_MAX;
    bool is_fine = talk.fd >= 0 && talk.in != NULL && talk_to_end(&talk);
    if (is_fine)
        read_responses(&talk, answers, n);
    for (size_t i = 0; i < n; i++)
        is_fine = is_fine && answers[i].is_whole;
    free(talk.in);
    if (talk.fd >= 0)
        close(talk.fd);
    return is_fine;
}
