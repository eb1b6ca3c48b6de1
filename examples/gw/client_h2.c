/* client_h2.c: one HTTP/2 request with nghttp2, as a program that is not libgw makes it. */
#include "client.h"
#include "hello.h"

#include <string.h>

#if GW_DEMO_HAVE_H2

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct h2 {
    int fd;
    nghttp2_session *session;
    const struct client_request *request;
    struct answer *answer;
    struct hello_reader reader;
    size_t sent; /* of the request's body */
    int32_t stream;
    bool is_closed, is_broken;
};

/* ---- what nghttp2 calls ---- */

static ssize_t on_send(nghttp2_session *session, const uint8_t *bytes, size_t len, int flags,
                       void *user)
{
    (void)session;
    (void)flags;
    const struct h2 *h2 = user;
    ssize_t n = send(h2->fd, bytes, len, MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    return errno == EAGAIN ? NGHTTP2_ERR_WOULDBLOCK : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static bool is_name(const uint8_t *name, size_t len, const char *wanted)
{
    return len == strlen(wanted) && memcmp(name, wanted, len) == 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    (void)session;
    (void)frame;
    (void)flags;
    struct answer *answer = ((struct h2 *)user)->answer;
    char text[CLIENT_FIELD_MAX];
    snprintf(text, sizeof text, "%.*s", (int)value_len, (const char *)value);
    if (is_name(name, name_len, ":status"))
        answer->code = (int)strtol(text, NULL, 10);
    else if (is_name(name, name_len, "grpc-status"))
        answer->grpc_status = (int)strtol(text, NULL, 10);
    else if (is_name(name, name_len, "x-upstream"))
        memcpy(answer->upstream, text, sizeof text);
    return 0;
}

static void read_messages(struct h2 *h2, const uint8_t *bytes, size_t len)
{
    struct answer *answer = h2->answer;
    while (len > 0) {
        bool is_whole = false;
        gw_str text;
        size_t n = hello_reader_take(&h2->reader, bytes, len, &is_whole);
        if (n == 0)
            return;
        bytes += n;
        len -= n;
        if (!is_whole || !hello_read(h2->reader.message, h2->reader.message_len, &text))
            continue;
        answer->messages++;
        snprintf(answer->message, sizeof answer->message, "%.*s", (int)text.len, text.ptr);
        hello_reader_next(&h2->reader);
        (void)nghttp2_session_resume_data(h2->session, h2->stream);
    }
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
                   size_t len, void *user)
{
    (void)session;
    (void)flags;
    (void)stream;
    struct h2 *h2 = user;
    struct answer *answer = h2->answer;
    if (h2->request->is_grpc)
        read_messages(h2, bytes, len);
    if (len > answer->body_max - answer->body_len)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    memcpy(answer->body + answer->body_len, bytes, len);
    answer->body_len += len;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
    (void)session;
    (void)stream;
    struct h2 *h2 = user;
    h2->is_closed = true;
    h2->answer->is_whole = code == NGHTTP2_NO_ERROR && h2->answer->code != CLIENT_NONE;
    return 0;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* With a pace, message k+1 leaves when the answer to message k is here. */
static ssize_t on_body(nghttp2_session *session, int32_t stream, uint8_t *out, size_t max,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)stream;
    (void)source;
    struct h2 *h2 = user;
    const struct client_request *request = h2->request;
    size_t allowed = request->body_len;
    if (request->pace > 0)
        allowed = smaller(allowed, request->pace * (h2->answer->messages + 1u));
    size_t n = smaller(allowed - h2->sent, max);
    if (n == 0 && h2->sent < request->body_len)
        return NGHTTP2_ERR_DEFERRED;
    memcpy(out, request->body + h2->sent, n);
    h2->sent += n;
    if (h2->sent == request->body_len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

/* ---- the session ---- */

static nghttp2_nv field(const char *name, const char *value)
{
    union {
        const char *text;
        uint8_t *bytes; /* nghttp2 takes no const here, and copies */
    } n = { name }, v = { value };
    return (nghttp2_nv){ n.bytes, v.bytes, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE };
}

static bool submit(struct h2 *h2)
{
    const struct client_request *request = h2->request;
    nghttp2_nv fields[8];
    size_t n = 0;
    fields[n++] = field(":method", request->method);
    fields[n++] = field(":scheme", "http");
    fields[n++] = field(":authority", "demo.local");
    fields[n++] = field(":path", request->path);
    if (request->is_grpc) {
        fields[n++] = field("te", "trailers");
        fields[n++] = field("content-type", "application/grpc");
    }
    nghttp2_data_provider body = { .read_callback = on_body };
    bool has_body = request->body_len > 0;
    h2->stream = nghttp2_submit_request(h2->session, NULL, fields, n, has_body ? &body : NULL, h2);
    return h2->stream > 0 && nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, NULL, 0) == 0;
}

static bool open_session(struct h2 *h2)
{
    nghttp2_session_callbacks *callbacks = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return false;
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    int status = nghttp2_session_client_new(&h2->session, callbacks, h2);
    nghttp2_session_callbacks_del(callbacks);
    return status == 0 && submit(h2);
}

static void receive_some(struct h2 *h2)
{
    uint8_t bytes[16384];
    ssize_t n = recv(h2->fd, bytes, sizeof bytes, 0);
    if (n > 0)
        h2->is_broken = nghttp2_session_mem_recv(h2->session, bytes, (size_t)n) < 0;
    else
        h2->is_broken = n == 0 || (errno != EAGAIN && errno != EINTR);
}

static void run_to_end(struct h2 *h2)
{
    uint64_t deadline = client_now_ms() + CLIENT_TIMEOUT_MS;
    while (!h2->is_closed && !h2->is_broken) {
        uint64_t now = client_now_ms();
        struct pollfd wait = { .fd = h2->fd, .events = POLLIN };
        if (nghttp2_session_send(h2->session) != 0)
            return;
        if (nghttp2_session_want_write(h2->session) != 0)
            wait.events |= POLLOUT;
        if (now >= deadline || poll(&wait, 1, (int)(deadline - now)) <= 0)
            return;
        if ((wait.revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            receive_some(h2);
    }
}

bool client_h2(uint16_t port, const struct client_request *request, struct answer *answer)
{
    *answer = (struct answer){ .body = answer->body,
                               .body_max = answer->body_max,
                               .code = CLIENT_NONE,
                               .grpc_status = CLIENT_NONE };
    struct h2 h2 = { .fd = client_connect(port), .request = request, .answer = answer };
    if (h2.fd >= 0 && open_session(&h2))
        run_to_end(&h2);
    nghttp2_session_del(h2.session);
    if (h2.fd >= 0)
        close(h2.fd);
    return answer->is_whole;
}

bool client_has_h2(void)
{
    return true;
}

#else

bool client_h2(uint16_t port, const struct client_request *request, struct answer *answer)
{
    (void)port;
    (void)request;
    answer->is_whole = false;
    return false;
}

bool client_has_h2(void)
{
    return false;
}

#endif
