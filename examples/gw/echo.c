/* echo.c: an upstream of the demo.
 *
 * POST, PUT and the like: the body comes back, as it arrives, with backpressure: bytes stay in the
 * request's pipe until the response's pipe has room, and that is all there is to it. GET and HEAD:
 * a line that says who answered.
 */
#include "echo.h"

#include <stdio.h>
#include <string.h>

struct echo {
    gw_pipe *request;  /* NULL until its hook has run */
    gw_pipe *response; /* the same                    */
    bool is_line;      /* answers with a line         */
    bool is_silent;    /* HEAD                        */
    bool is_ended;
    uint32_t line_len, line_sent;
    char line[512];
};

static bool is_method(gw_str method, const char *name)
{
    return method.len == strlen(name) && memcmp(method.ptr, name, method.len) == 0;
}

/* "echo-1 got GET /echo/x" */
static void write_line(struct echo *echo, gw_str name, const gw_message *request)
{
    gw_str method = gw_message_part(request, GW_PART_METHOD);
    gw_str path = gw_message_part(request, GW_PART_PATH);
    enum { SHOWN = 400 };
    int path_len = path.len < SHOWN ? (int)path.len : SHOWN;
    int len = snprintf(echo->line, sizeof echo->line, "%.*s got %.*s %.*s\n", (int)name.len,
                       name.ptr, (int)method.len, method.ptr, path_len, path.ptr);
    bool fits = len > 0 && (size_t)len < sizeof echo->line;
    echo->line_len = fits ? (uint32_t)len : 0;
}

static gw_verdict begin(void *ctx, gw_exchange *x)
{
    (void)ctx;
    struct echo *echo = gw_exchange_memory(x);
    const gw_message *request = gw_exchange_request(x);
    gw_exchange_info info = GW_SPEC(gw_exchange_info);
    gw_str method = gw_message_part(request, GW_PART_METHOD);
    gw_str type = gw_message_field(request, gw_cstr("content-type"));
    echo->is_silent = is_method(method, "HEAD");
    echo->is_line = echo->is_silent || is_method(method, "GET") || is_method(method, "DELETE");
    if (echo->is_line || type.ptr == NULL)
        type = gw_cstr(echo->is_line ? "text/plain" : "application/octet-stream");
    if (gw_exchange_get_info(x, &info) != GW_OK || gw_exchange_respond(x, 200) != GW_OK)
        return GW_ABORT;
    gw_message *response = gw_exchange_response(x);
    if (gw_message_set_field(response, gw_cstr("content-type"), type) != GW_OK ||
        gw_message_set_field(response, gw_cstr("x-upstream"), info.listener) != GW_OK)
        return GW_ABORT;
    if (echo->is_line)
        write_line(echo, info.listener, request);
    return GW_NEXT;
}

static gw_verdict end(struct echo *echo)
{
    echo->is_ended = true;
    return gw_pipe_end(echo->response) == GW_OK ? GW_NEXT : GW_ABORT;
}

/* Moves what fits. Returns how much. */
static size_t move_once(struct echo *echo)
{
    gw_const_span span;
    if (gw_pipe_peek(echo->request, &span, 1) == 0)
        return 0;
    size_t moved = gw_pipe_write(echo->response, span.ptr, span.len);
    return gw_pipe_drop(echo->request, moved) == GW_OK ? moved : 0;
}

static bool is_empty(const gw_pipe *pipe)
{
    gw_const_span span;
    return gw_pipe_peek(pipe, &span, 1) == 0;
}

static gw_verdict answer_body(struct echo *echo)
{
    if (echo->request == NULL || echo->response == NULL)
        return GW_WAIT;
    while (move_once(echo) > 0)
        ;
    if (gw_pipe_is_last(echo->request) && is_empty(echo->request))
        return end(echo);
    return GW_WAIT;
}

static gw_verdict answer_line(struct echo *echo)
{
    if (echo->response == NULL)
        return GW_WAIT;
    if (!echo->is_silent)
        echo->line_sent += (uint32_t)gw_pipe_write(echo->response, echo->line + echo->line_sent,
                                                   echo->line_len - echo->line_sent);
    bool is_sent = echo->is_silent || echo->line_sent == echo->line_len;
    return is_sent ? end(echo) : GW_WAIT;
}

static gw_verdict answer(struct echo *echo)
{
    if (echo->is_ended)
        return GW_NEXT;
    return echo->is_line ? answer_line(echo) : answer_body(echo);
}

/* A body that nobody asked for is taken and forgotten. */
static void forget(gw_pipe *pipe)
{
    gw_const_span span;
    while (gw_pipe_peek(pipe, &span, 1) > 0)
        if (gw_pipe_drop(pipe, span.len) != GW_OK)
            return;
}

static gw_verdict read_more(void *ctx, gw_exchange *x, gw_pipe *request)
{
    (void)ctx;
    struct echo *echo = gw_exchange_memory(x);
    echo->request = request;
    if (echo->is_line)
        forget(request);
    return answer(echo);
}

static gw_verdict write_more(void *ctx, gw_exchange *x, gw_pipe *response)
{
    (void)ctx;
    struct echo *echo = gw_exchange_memory(x);
    echo->response = response;
    return answer(echo);
}

const gw_origin *echo_origin(void)
{
    static const gw_origin origin = { .size = sizeof(gw_origin),
                                      .exchange_bytes = sizeof(struct echo),
                                      .name = "echo",
                                      .on_request = begin,
                                      .on_read = read_more,
                                      .on_write = write_more };
    return &origin;
}
