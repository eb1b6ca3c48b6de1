/* peers/h1_inputs.c: requests, some spoilt, and what the codec of h1 makes of them, for a second
 * parser to be asked (llhttp_test.js). One line a case:
 *
 *     HEX-OF-THE-BYTES [METHOD TARGET HEX-OF-THE-BODY] ...
 *
 * An empty body is "-". Usage: h1_inputs SEED COUNT */

#include "../unit/h1_test.h"

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

/* Several requests one after the other. */
static size_t make(struct gw_prng *prng, char *out)
{
    static const char *const requests[] = {
        "GET /a?b=c HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        ("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
         "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nTrailer-A: b\r\n\r\n"),
        "PUT /z HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "\r\nHEAD / HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n",
        "DELETE /d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n0\r\n\r\n",
    };
    size_t len = 0;
    for (uint64_t n = 1 + below(prng, 3); n > 0; n--) {
        const char *request = requests[below(prng, sizeof requests / sizeof requests[0])];
        memcpy(out + len, request, strlen(request));
        len += strlen(request);
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
    }
    return len;
}

/* Reads until nothing moves; prints the messages that are whole. */
static void print_messages(struct world *w, const char *bytes, size_t len)
{
    struct pair *p = &w->pair;
    gw_const_span span;
    must(gw_chain_write(&w->rx, bytes, len));
    while (w->codec->state == GW_CODEC_OPEN && w->rx.len > 0) {
        static char body[8192];
        size_t body_len = 0;
        bool is_last;
        (void)!w->codec->ops->read(w->codec, &w->rx, 0);
        if (p->stream.codec == NULL || p->stream.in != GW_HALF_DONE)
            return;
        while (gw_pipe_peek(&p->in_pipe, &span, 1) == 1) {
            memcpy(body + body_len, span.ptr, span.len);
            body_len += span.len;
            must(gw_pipe_drop(&p->in_pipe, span.len));
        }
        printf(" %.*s %.*s ", (int)p->in_head.method_text.len, p->in_head.method_text.ptr,
               (int)p->in_head.target.len, p->in_head.target.ptr);
        print_hex(body, body_len);
        world_respond(w, 204, NULL);
        world_write(w);
        is_last = w->codec->state != GW_CODEC_OPEN;
        world_detach(w);
        if (is_last)
            return;
    }
}

int main(int argc, char **argv)
{
    struct gw_prng prng = { argc > 1 ? strtoull(argv[1], NULL, 10) : 1 };
    unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    for (; count > 0; count--) {
        static char bytes[4096];
        struct world w;
        size_t len = make(&prng, bytes);
        len = spoil(&prng, bytes, len);
        world_init(&w, false);
        w.is_manual = true;
        print_hex(bytes, len);
        print_messages(&w, bytes, len);
        printf("\n");
        world_fini(&w);
    }
    return 0;
}
