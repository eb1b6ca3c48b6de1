/* peers/h1_inputs.c: messages, some spoilt, and what the codec of h1 makes of them, for other parsers
 * to be asked (llhttp_test.js, h1_peers_test.py). One line a case:
 *
 *     q|r HEX-OF-THE-BYTES [METHOD TARGET|CODE FIELDS START END HEX-OF-THE-BODY] ...
 *
 * q: requests; r: responses (METHOD: of the request). START and END: where the message lies in the bytes.
 * An empty body is "-". Usage: h1_inputs SEED COUNT [q|r FILE]...
 * Each file is a case as it is, and one that is spoilt among the others. */

#include "../unit/h1_test.h"

enum { INPUT_MAX = 16384, FILES_MAX = 2000 };

struct base {
    bool is_response;
    const char *bytes;
    size_t len;
};

static struct base files[FILES_MAX];
static size_t files_len;

static uint64_t below(struct gw_prng *prng, uint64_t n)
{
    return gw_prng_below(prng, n);
}

static void print_hex(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        printf("%02x", (unsigned)(unsigned char)bytes[i]);
    if (len == 0)
        printf("-");
}

static const char *const requests[] = {
    "GET /a?b=c HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
    "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    ("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nTrailer-A: b\r\n\r\n"),
    "PUT /z HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    "\r\nHEAD / HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n",
    "DELETE /d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nX:\t y \t\r\nX:\r\n\r\n",
    "GET http://b/c HTTP/1.1\r\nHost: b\r\nCookie: a=1; b=2\r\n\r\n",
};

static const char *const responses[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a\r\nabc\r\n0\r\nX-T: b\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 70\r\nETag: \"a\"\r\n\r\n",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab",
    "HTTP/1.1 404 \r\nContent-Length: 0\r\nX:  a  \r\n\r\n",
};

/* Several messages one after the other: a client's connection carries them without a pause. */
static size_t make(struct gw_prng *prng, bool is_response, char *out)
{
    size_t len = 0;
    if (files_len > 0 && below(prng, 2) == 0) {
        const struct base *b = &files[below(prng, files_len)];
        if (b->is_response == is_response && b->len > 0) {
            memcpy(out, b->bytes, b->len);
            return b->len;
        }
    }
    for (uint64_t n = is_response ? 1 : 1 + below(prng, 3); n > 0; n--) {
        const char *one = is_response
                              ? responses[below(prng, sizeof responses / sizeof responses[0])]
                              : requests[below(prng, sizeof requests / sizeof requests[0])];
        memcpy(out + len, one, strlen(one));
        len += strlen(one);
    }
    return len;
}

static size_t spoil(struct gw_prng *prng, char *bytes, size_t len)
{
    static const char with[] = "\r\n\r\n\t  :;,\0\x7f\x80\x0b+-0aAZfx/.%HCT15\"";
    static const char *const lines[] = {
        "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n",  "Content-Length: 05\r\n",
        "X: a\r\n b\r\n",        "Transfer-Encoding: identity\r\n", "Connection: close\r\n"
    };
    for (uint64_t n = below(prng, 3); n > 0; n--) {
        size_t at = below(prng, len);
        switch (below(prng, 5)) {
        case 0:
            bytes[at] = with[below(prng, sizeof with - 1)];
            break;
        case 1:
            memmove(bytes + at, bytes + at + 1, len - at - 1);
            len--;
            break;
        case 2:
        case 3:
            memmove(bytes + at + 1, bytes + at, len - at);
            bytes[at] = with[below(prng, sizeof with - 1)];
            len++;
            break;
        default: { /* a line more behind some line */
            const char *line = lines[below(prng, sizeof lines / sizeof lines[0])];
            while (at > 0 && bytes[at - 1] != '\n')
                at--;
            memmove(bytes + at + strlen(line), bytes + at, len - at);
            memcpy(bytes + at, line, strlen(line));
            len += strlen(line);
        }
        }
        if (len == 0)
            return 0;
    }
    return len;
}

/* Takes what is in the pipe; returns how much there is in body now. */
static size_t take_body(struct world *w, char *body, size_t len)
{
    struct gw_pipe *pipe = &w->pair.in_pipe;
    gw_const_span span;
    while (gw_pipe_peek(pipe, &span, 1) == 1) {
        memcpy(body + len, span.ptr, span.len);
        len += span.len;
        must(gw_pipe_drop(pipe, span.len));
    }
    return len;
}

/* Reads one message until it is whole or nothing moves. */
static bool read_message(struct world *w, char *body, size_t *body_len)
{
    struct gw_stream *s = &w->pair.stream;
    size_t before;
    *body_len = 0;
    do {
        before = w->rx.len;
        (void)!w->codec->ops->read(w->codec, &w->rx, 0);
        if (s->codec == NULL)
            return false;
        *body_len = take_body(w, body, *body_len);
    } while (s->in < GW_HALF_DONE && w->rx.len > 0 && w->rx.len < before);
    return s->in == GW_HALF_DONE;
}

static void print_place(size_t fields, size_t start, size_t end, const char *body, size_t body_len)
{
    printf(" %zu %zu %zu ", fields, start, end);
    print_hex(body, body_len);
}

static void print_requests(struct world *w, size_t len)
{
    struct pair *p = &w->pair;
    size_t start = 0;
    while (w->codec->state == GW_CODEC_OPEN && w->rx.len > 0) {
        static char body[INPUT_MAX];
        size_t body_len;
        bool is_last;
        if (!read_message(w, body, &body_len))
            return;
        printf(" %.*s %.*s", (int)p->in_head.method_text.len, p->in_head.method_text.ptr,
               (int)p->in_head.target.len, p->in_head.target.ptr);
        print_place(gw_message_fields(&p->in_head), start, len - w->rx.len, body, body_len);
        start = len - w->rx.len;
        world_respond(w, 204, NULL);
        world_write(w);
        is_last = w->codec->state != GW_CODEC_OPEN;
        world_detach(w);
        if (is_last)
            return;
    }
}

/* Byte by byte, since what follows a response is nobody's, and dropped. */
static void print_response(struct world *w, const char *method, const char *bytes, size_t len)
{
    struct pair *p = &w->pair;
    static char body[INPUT_MAX];
    size_t body_len = 0, end = 0;
    while (end < len && p->stream.in < GW_HALF_DONE && w->codec->state != GW_CODEC_OVER) {
        must(gw_chain_write(&w->rx, bytes + end++, 1));
        (void)!w->codec->ops->read(w->codec, &w->rx, 0);
        body_len = take_body(w, body, body_len);
    }
    if (p->stream.in < GW_HALF_DONE && w->codec->state != GW_CODEC_OVER) {
        w->codec->ops->read_end(w->codec, GW_EOF, 0);
        body_len = take_body(w, body, body_len);
    }
    /* What stands before it is another message to others: interim answers. */
    if (p->stream.in != GW_HALF_DONE || p->infos_used > 0)
        return;
    printf(" %s %u", method, p->in_head.code);
    print_place(gw_message_fields(&p->in_head), 0, end, body, body_len);
}

static void ask(bool is_response, const char *bytes, size_t len, const char *method)
{
    struct world w;
    world_init(&w, is_response);
    w.is_manual = true;
    w.limits.fields_max = 100;
    printf("%c ", is_response ? 'r' : 'q');
    print_hex(bytes, len);
    if (is_response) {
        pair_request(&w, method, NULL);
        must(w.codec->ops->open(w.codec, &w.pair.stream));
        world_run(&w);
    }
    if (is_response) {
        print_response(&w, method, bytes, len);
    } else {
        must(gw_chain_write(&w.rx, bytes, len));
        print_requests(&w, len);
    }
    printf("\n");
    world_fini(&w);
}

static void load(const char *kind, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(INPUT_MAX);
    if (file == NULL || bytes == NULL || files_len == FILES_MAX) {
        fprintf(stderr, "h1_inputs: %s cannot be read\n", path);
        exit(1);
    }
    size_t len = fread(bytes, 1, INPUT_MAX / 2, file);
    fclose(file);
    files[files_len++] = (struct base){ kind[0] == 'r', bytes, len };
}

int main(int argc, char **argv)
{
    struct gw_prng prng = { argc > 1 ? strtoull(argv[1], NULL, 10) : 1 };
    unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    for (int i = 3; i + 1 < argc; i += 2)
        load(argv[i], argv[i + 1]);
    for (size_t i = 0; i < files_len; i++)
        ask(files[i].is_response, files[i].bytes, files[i].len, "GET");
    for (; count > 0; count--) {
        static char bytes[INPUT_MAX];
        bool is_response = below(&prng, 3) == 0;
        size_t len = make(&prng, is_response, bytes);
        len = spoil(&prng, bytes, len);
        ask(is_response, bytes, len, below(&prng, 5) == 0 ? "HEAD" : "GET");
    }
    for (size_t i = 0; i < files_len; i++)
        free((char *)(uintptr_t)files[i].bytes);
    return 0;
}
