/* demo_check.c: "gw demo --check": requests of its own through the demo's gateway, and a table of
 * how each went. A row passes only if all that it says is true of what came back.
 */
#include "client.h"
#include "demo.h"
#include "greeter.h"
#include "hello.h"
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_BYTES = 256 * 1024, ANSWER_MAX = BODY_BYTES + 4096, NAMES = 20 };
enum { GRPC_OK = 0, GRPC_UNIMPLEMENTED = 12, GRPC_UNAVAILABLE = 14 };

/* What all rows share. */
struct check {
    uint16_t port;
    unsigned char *sent;     /* BODY_BYTES that look like nothing in particular */
    unsigned char *received; /* ANSWER_MAX                                      */
    struct answer answer;    /* the last one                                    */
};

/* ---- HTTP/1.1 ---- */

static bool h1(struct check *check, const char *request, int code)
{
    return client_h1(check->port, request, strlen(request), &check->answer, 1) &&
           check->answer.code == code;
}

static bool body_is(const struct answer *answer, const void *bytes, size_t len)
{
    return answer->body_len == len && memcmp(answer->body, bytes, len) == 0;
}

static bool body_ends_with(const struct answer *answer, const char *text)
{
    size_t len = strlen(text);
    return answer->body_len >= len && memcmp(answer->body + answer->body_len - len, text, len) == 0;
}

static bool h1_get(struct check *check)
{
    return h1(check, "GET /echo/a HTTP/1.1\r\nhost: demo.local\r\nconnection: close\r\n\r\n",
              200) &&
           body_ends_with(&check->answer, "got GET /echo/a\n");
}

static bool h1_post_large(struct check *check)
{
    char *request = malloc(BODY_BYTES + 256);
    if (request == NULL)
        return false;
    int head = snprintf(request, 256,
                        "POST /echo HTTP/1.1\r\nhost: demo.local\r\ncontent-length: %d\r\n"
                        "connection: close\r\n\r\n",
                        BODY_BYTES);
    memcpy(request + head, check->sent, BODY_BYTES);
    bool is_fine = client_h1(check->port, request, (size_t)head + BODY_BYTES, &check->answer, 1) &&
                   check->answer.code == 200 && body_is(&check->answer, check->sent, BODY_BYTES);
    free(request);
    return is_fine;
}

static bool h1_post_chunked(struct check *check)
{
    return h1(check,
              "POST /echo HTTP/1.1\r\nhost: demo.local\r\ntransfer-encoding: chunked\r\n"
              "connection: close\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
              200) &&
           body_is(&check->answer, "hello world", 11);
}

/* Two requests in one write: answered in their order, and by different upstreams. */
static bool h1_pipelined(struct check *check)
{
    static const char request[] =
        "GET /echo/first HTTP/1.1\r\nhost: demo.local\r\n\r\n"
        "GET /echo/second HTTP/1.1\r\nhost: demo.local\r\nconnection: close\r\n\r\n";
    unsigned char body[512];
    struct answer answers[2] = { { .body = body, .body_max = sizeof body }, check->answer };
    bool is_fine = client_h1(check->port, request, sizeof request - 1, answers, 2) &&
                   body_ends_with(&answers[0], "got GET /echo/first\n") &&
                   body_ends_with(&answers[1], "got GET /echo/second\n") &&
                   strcmp(answers[0].upstream, answers[1].upstream) != 0;
    check->answer = answers[1];
    return is_fine;
}

static bool h1_local_reply(struct check *check)
{
    return h1(check, "GET / HTTP/1.1\r\nhost: demo.local\r\nconnection: close\r\n\r\n", 200);
}

static bool h1_no_route(struct check *check)
{
    return h1(check, "GET /none HTTP/1.1\r\nhost: demo.local\r\nconnection: close\r\n\r\n", 404);
}

/* Two lengths: what two servers may read as two different messages is refused. */
static bool h1_ambiguous(struct check *check)
{
    return h1(check,
              "POST /echo HTTP/1.1\r\nhost: demo.local\r\ncontent-length: 5\r\n"
              "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
              400);
}

static bool h1_refused(struct check *check)
{
    return h1(check, "GET /nobody HTTP/1.1\r\nhost: demo.local\r\nconnection: close\r\n\r\n", 503);
}

/* ---- HTTP/2 ---- */

static bool h2(struct check *check, const struct client_request *request, int code)
{
    return client_h2(check->port, request, &check->answer) && check->answer.code == code;
}

static bool h2_get(struct check *check)
{
    struct client_request request = { .method = "GET", .path = "/echo/b" };
    return h2(check, &request, 200) && body_ends_with(&check->answer, "got GET /echo/b\n");
}

static bool h2_post_large(struct check *check)
{
    struct client_request request = {
        .method = "POST", .path = "/echo", .body = check->sent, .body_len = BODY_BYTES
    };
    return h2(check, &request, 200) && body_is(&check->answer, check->sent, BODY_BYTES);
}

static bool h2_no_route(struct check *check)
{
    struct client_request request = { .method = "GET", .path = "/none" };
    return h2(check, &request, 404);
}

/* ---- gRPC ---- */

/* Calls method with the name so many times; paced: one at a time, each after an answer. */
static bool call(struct check *check, const char *path, unsigned times, bool is_paced, int status)
{
    unsigned char body[NAMES * 64];
    size_t len = 0, one = 0;
    for (unsigned i = 0; i < times; i++) {
        one = hello_write(body + len, gw_cstr("you"));
        len += one;
    }
    struct client_request request = { .method = "POST",
                                      .path = path,
                                      .is_grpc = true,
                                      .body = body,
                                      .body_len = len,
                                      .pace = is_paced ? one : 0 };
    return h2(check, &request, 200) && check->answer.grpc_status == status;
}

static bool has(const struct answer *answer, uint32_t messages, const char *last)
{
    return answer->messages == messages && strcmp(answer->message, last) == 0;
}

static bool grpc_unary(struct check *check)
{
    return call(check, "/helloworld.Greeter/SayHello", 1, false, GRPC_OK) &&
           has(&check->answer, 1, "Hello you");
}

static bool grpc_server_stream(struct check *check)
{
    return call(check, "/helloworld.Greeter/LotsOfReplies", 1, false, GRPC_OK) &&
           has(&check->answer, GREETER_REPLIES, "Hello you, 10 of 10");
}

static bool grpc_client_stream(struct check *check)
{
    return call(check, "/helloworld.Greeter/LotsOfGreetings", NAMES, false, GRPC_OK) &&
           has(&check->answer, 1, "Hello to 20, the last of them you");
}

/* Would wait for ever if anything on the way kept a message back. */
static bool grpc_both(struct check *check)
{
    return call(check, "/helloworld.Greeter/BidiHello", NAMES, true, GRPC_OK) &&
           has(&check->answer, NAMES, "Hello you");
}

static bool grpc_no_method(struct check *check)
{
    return call(check, "/helloworld.Greeter/Shout", 1, false, GRPC_UNIMPLEMENTED);
}

static bool grpc_no_route(struct check *check)
{
    return call(check, "/none.None/None", 1, false, GRPC_UNIMPLEMENTED);
}

static bool grpc_refused(struct check *check)
{
    return call(check, "/nobody/Home", 1, false, GRPC_UNAVAILABLE);
}

/* ---- the table ---- */

struct row {
    const char *text;
    bool (*is_fine)(struct check *check);
    bool needs_h2;
};

static const struct row rows[] = {
    { "h1 GET", h1_get, false },
    { "h1 POST, 256 KiB each way", h1_post_large, false },
    { "h1 POST, chunked", h1_post_chunked, false },
    { "h1 pipelined, both upstreams", h1_pipelined, false },
    { "h1 answered by the gateway", h1_local_reply, false },
    { "h1 no such route", h1_no_route, false },
    { "h1 ambiguous length, refused", h1_ambiguous, false },
    { "h1 upstream refuses", h1_refused, false },
    { "h2 GET, to h1", h2_get, true },
    { "h2 POST, 256 KiB each way, to h1", h2_post_large, true },
    { "h2 no such route", h2_no_route, true },
    { "grpc unary", grpc_unary, true },
    { "grpc server streaming", grpc_server_stream, true },
    { "grpc client streaming", grpc_client_stream, true },
    { "grpc both ways, a message at a time", grpc_both, true },
    { "grpc no such method", grpc_no_method, true },
    { "grpc no such route", grpc_no_route, true },
    { "grpc upstream refuses", grpc_refused, true },
};

/* "200", "200, grpc-status 0", "nothing" */
static void print_outcome(const struct answer *answer, char *out, size_t max)
{
    if (answer->code == CLIENT_NONE)
        snprintf(out, max, "no answer");
    else if (answer->grpc_status == CLIENT_NONE)
        snprintf(out, max, "%d%s", answer->code, answer->is_whole ? "" : ", cut");
    else
        snprintf(out, max, "%d, grpc-status %d", answer->code, answer->grpc_status);
}

static void print_row(const struct row *row, const struct check *check, bool is_fine, uint64_t ms,
                      bool as_json)
{
    char outcome[64], line[512];
    struct json j;
    print_outcome(&check->answer, outcome, sizeof outcome);
    if (!as_json) {
        printf("%-6s  %-36s  %-22s  %-10s %4llu ms\n", is_fine ? "ok" : "FAILED", row->text,
               outcome, check->answer.upstream, (unsigned long long)ms);
        return;
    }
    json_open(&j, line, sizeof line);
    json_text(&j, "check", gw_cstr(row->text), 64);
    json_bool(&j, "ok", is_fine);
    json_text(&j, "outcome", gw_cstr(outcome), 64);
    json_text(&j, "upstream", gw_cstr(check->answer.upstream), 64);
    json_number(&j, "ms", ms);
    printf("%.*s\n", (int)json_close(&j), line);
}

static bool run_row(const struct row *row, struct check *check, bool as_json)
{
    check->answer = (struct answer){ .body = check->received,
                                     .body_max = ANSWER_MAX,
                                     .code = CLIENT_NONE,
                                     .grpc_status = CLIENT_NONE };
    uint64_t start = client_now_ms();
    bool is_fine = row->is_fine(check);
    print_row(row, check, is_fine, client_now_ms() - start, as_json);
    fflush(stdout);
    return is_fine;
}

/* Bytes in which a loss, a repetition or a swap shows. */
static void fill(unsigned char *bytes, size_t len)
{
    uint32_t state = 1;
    for (size_t i = 0; i < len; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(state >> 24);
    }
}

static bool run_rows(struct check *check, bool has_h2, bool as_json)
{
    size_t count = sizeof rows / sizeof rows[0], failed = 0, skipped = 0;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].needs_h2 && !has_h2)
            skipped++;
        else if (!run_row(&rows[i], check, as_json))
            failed++;
    }
    if (!as_json && skipped > 0)
        printf("%zu of HTTP/2 left out: this build has no nghttp2\n", skipped);
    if (!as_json)
        printf("%zu of %zu as they must be\n", count - skipped - failed, count - skipped);
    return failed == 0;
}

bool demo_check(const struct demo *demo, bool as_json)
{
    struct check check = { .port = demo->port };
    check.sent = malloc(BODY_BYTES);
    check.received = malloc(ANSWER_MAX);
    bool is_fine = check.sent != NULL && check.received != NULL;
    if (is_fine) {
        fill(check.sent, BODY_BYTES);
        is_fine = run_rows(&check, demo->has_h2 && client_has_h2(), as_json);
    }
    free(check.sent);
    free(check.received);
    return is_fine;
}
