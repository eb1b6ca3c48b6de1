/* greeter.c: an upstream of the demo: helloworld.Greeter.
 *
 *     SayHello       one in, one out          LotsOfReplies  one in, many out
 *     LotsOfGreetings  many in, one out       BidiHello      one out for each in
 *
 * A call is a loop over three steps until one has to wait: send the reply that is written; write
 * the next one; take the next message in. It ends with grpc-status in the trailers.
 */
#include "greeter.h"
#include "hello.h"

#include <stdio.h>
#include <string.h>

enum { GRPC_OK = 0, GRPC_RESOURCE_EXHAUSTED = 8, GRPC_UNIMPLEMENTED = 12, GRPC_INTERNAL = 13 };
enum method { SAY_HELLO, LOTS_OF_REPLIES, LOTS_OF_GREETINGS, BIDI_HELLO, METHODS };
enum { NAME_MAX_BYTES = 256 };

struct greeter {
    gw_pipe *request;  /* NULL until its hook has run */
    gw_pipe *response; /* the same                    */
    uint32_t method;
    uint32_t status;         /* grpc-status, once the end is decided             */
    const char *status_text; /* grpc-message                                     */
    bool is_decided;         /* no message in is read from here on               */
    bool is_ended;           /* the trailers are on their way                    */
    uint32_t taken;          /* messages in                                      */
    uint32_t replies;        /* of LotsOfReplies: written so far                 */
    uint32_t name_len;       /* of the latest message                            */
    uint32_t out_len, out_sent;
    char name[NAME_MAX_BYTES];
    unsigned char out[HELLO_MESSAGE_MAX]; /* the reply that is being sent */
    struct hello_reader in;
};

static void decide(struct greeter *call, uint32_t status, const char *text)
{
    if (call->is_decided)
        return;
    call->is_decided = true;
    call->status = status;
    call->status_text = text;
}

/* ---- the head ---- */

static uint32_t method_of(gw_str path)
{
    static const char *const names[METHODS] = { "SayHello", "LotsOfReplies", "LotsOfGreetings",
                                                "BidiHello" };
    static const char service[] = "/helloworld.Greeter/";
    size_t skipped = sizeof service - 1;
    if (path.len < skipped || memcmp(path.ptr, service, skipped) != 0)
        return METHODS;
    for (uint32_t i = 0; i < METHODS; i++)
        if (strlen(names[i]) == path.len - skipped &&
            memcmp(names[i], path.ptr + skipped, path.len - skipped) == 0)
            return i;
    return METHODS;
}

static bool is_grpc(gw_str type)
{
    static const char name[] = "application/grpc";
    size_t len = sizeof name - 1;
    if (type.len < len || memcmp(type.ptr, name, len) != 0)
        return false;
    return type.len == len || type.ptr[len] == '+' || type.ptr[len] == ';';
}

/* Not a call at all: answered in the words of HTTP, as the gRPC specification wants it. */
static gw_verdict refuse(struct greeter *call, gw_exchange *x)
{
    call->is_decided = true;
    call->status_text = NULL;
    return gw_exchange_respond(x, 415) == GW_OK ? GW_NEXT : GW_ABORT;
}

static gw_verdict begin(void *ctx, gw_exchange *x)
{
    (void)ctx;
    struct greeter *call = gw_exchange_memory(x);
    const gw_message *request = gw_exchange_request(x);
    gw_exchange_info info = GW_SPEC(gw_exchange_info);
    if (!is_grpc(gw_message_field(request, gw_cstr("content-type"))))
        return refuse(call, x);
    if (gw_exchange_get_info(x, &info) != GW_OK || gw_exchange_respond(x, 200) != GW_OK)
        return GW_ABORT;
    gw_message *response = gw_exchange_response(x);
    gw_str type = gw_cstr("application/grpc");
    if (gw_message_set_field(response, gw_cstr("content-type"), type) != GW_OK ||
        gw_message_set_field(response, gw_cstr("x-upstream"), info.listener) != GW_OK)
        return GW_ABORT;
    call->method = method_of(gw_message_part(request, GW_PART_PATH));
    if (call->method == METHODS)
        decide(call, GRPC_UNIMPLEMENTED, "the greeter has no such method");
    return GW_NEXT;
}

/* ---- messages out ---- */

static void reply(struct greeter *call, const char *text, int len)
{
    gw_str message = { text, (size_t)len };
    call->out_len = (uint32_t)hello_write(call->out, message);
    call->out_sent = 0;
}

static void reply_hello(struct greeter *call)
{
    char text[NAME_MAX_BYTES + 32];
    int len = snprintf(text, sizeof text, "Hello %.*s", (int)call->name_len, call->name);
    reply(call, text, len);
}

static void reply_numbered(struct greeter *call)
{
    char text[NAME_MAX_BYTES + 64];
    call->replies++;
    int len = snprintf(text, sizeof text, "Hello %.*s, %u of %u", (int)call->name_len, call->name,
                       call->replies, (unsigned)GREETER_REPLIES);
    reply(call, text, len);
}

static void reply_all(struct greeter *call)
{
    char text[NAME_MAX_BYTES + 64];
    int len = snprintf(text, sizeof text, "Hello to %u, the last of them %.*s", call->taken,
                       (int)call->name_len, call->name);
    reply(call, text, len);
}

static bool is_sent(struct greeter *call)
{
    size_t left = call->out_len - call->out_sent;
    if (left > 0)
        call->out_sent += (uint32_t)gw_pipe_write(call->response, call->out + call->out_sent, left);
    return call->out_sent == call->out_len;
}

/* ---- messages in ---- */

/* One message is whole. What follows from it depends on the method. */
static void greet(struct greeter *call)
{
    gw_str name;
    if (!hello_read(call->in.message, call->in.message_len, &name)) {
        decide(call, GRPC_INTERNAL, "that is not a HelloRequest");
        return;
    }
    hello_reader_next(&call->in);
    call->taken++;
    call->name_len = name.len < NAME_MAX_BYTES ? (uint32_t)name.len : NAME_MAX_BYTES;
    memcpy(call->name, name.ptr, call->name_len);
    if (call->method == BIDI_HELLO)
        reply_hello(call);
}

/* True: a message was taken, or the end decided; false: more bytes are needed. */
static bool take(struct greeter *call)
{
    gw_const_span span;
    bool is_whole = false;
    while (!is_whole && gw_pipe_peek(call->request, &span, 1) > 0) {
        size_t n = hello_reader_take(&call->in, span.ptr, span.len, &is_whole);
        if (gw_pipe_drop(call->request, n) != GW_OK)
            return false;
        if (call->in.is_compressed)
            decide(call, GRPC_UNIMPLEMENTED, "the greeter reads no compressed messages");
        else if (call->in.is_too_long)
            decide(call, GRPC_RESOURCE_EXHAUSTED, "the greeter reads messages of 1024 bytes");
        if (call->is_decided)
            return true;
    }
    if (is_whole)
        greet(call);
    return is_whole;
}

/* All messages are in. True: a reply was written, or the end decided. */
static bool conclude(struct greeter *call)
{
    bool takes_one = call->method == SAY_HELLO || call->method == LOTS_OF_REPLIES;
    bool is_broken = !hello_reader_is_between(&call->in);
    if (is_broken || (takes_one && call->taken != 1)) {
        decide(call, GRPC_INTERNAL, is_broken ? "the last message is cut" : "one message, please");
        return true;
    }
    if (call->method == LOTS_OF_REPLIES && call->replies < GREETER_REPLIES) {
        reply_numbered(call);
        return true;
    }
    if (call->method == SAY_HELLO && call->replies++ == 0) {
        reply_hello(call);
        return true;
    }
    if (call->method == LOTS_OF_GREETINGS && call->replies++ == 0) {
        reply_all(call);
        return true;
    }
    decide(call, GRPC_OK, NULL);
    return true;
}

static bool is_at_end(const struct greeter *call)
{
    gw_const_span span;
    return gw_pipe_is_last(call->request) && gw_pipe_peek(call->request, &span, 1) == 0;
}

/* ---- the end, and the loop ---- */

static gw_verdict end(struct greeter *call, gw_exchange *x)
{
    char number[12];
    call->is_ended = true;
    bool is_call = gw_message_code(gw_exchange_response(x)) == 200;
    if (is_call) {
        gw_message *trailers = gw_exchange_trailers(x, GW_SIDE_RESPONSE);
        int len = snprintf(number, sizeof number, "%u", call->status);
        gw_str status = { number, (size_t)len };
        if (trailers == NULL ||
            gw_message_set_field(trailers, gw_cstr("grpc-status"), status) != GW_OK)
            return GW_ABORT;
        if (call->status_text != NULL && gw_message_set_field(trailers, gw_cstr("grpc-message"),
                                                              gw_cstr(call->status_text)) != GW_OK)
            return GW_ABORT;
    }
    return gw_pipe_end(call->response) == GW_OK ? GW_NEXT : GW_ABORT;
}

static gw_verdict go_on(struct greeter *call, gw_exchange *x)
{
    if (call->response == NULL || (call->request == NULL && !call->is_decided))
        return GW_WAIT;
    while (is_sent(call)) {
        if (call->is_decided)
            return end(call, x);
        bool has_moved = is_at_end(call) ? conclude(call) : take(call);
        if (!has_moved && !is_at_end(call))
            return GW_WAIT;
    }
    return GW_WAIT;
}

/* After the end is decided, what still comes in is taken and forgotten. */
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
    struct greeter *call = gw_exchange_memory(x);
    call->request = request;
    gw_verdict verdict = call->is_ended ? GW_NEXT : go_on(call, x);
    if (call->is_decided)
        forget(request);
    return verdict;
}

static gw_verdict write_more(void *ctx, gw_exchange *x, gw_pipe *response)
{
    (void)ctx;
    struct greeter *call = gw_exchange_memory(x);
    call->response = response;
    return call->is_ended ? GW_NEXT : go_on(call, x);
}

const gw_origin *greeter_origin(void)
{
    static const gw_origin origin = { .size = sizeof(gw_origin),
                                      .exchange_bytes = sizeof(struct greeter),
                                      .name = "greeter",
                                      .on_request = begin,
                                      .on_read = read_more,
                                      .on_write = write_more };
    return &origin;
}
