/* peers/http_parser_says.c: what http_parser (Debian's libhttp-parser) makes of messages, for
 * h1_peers_test.py. Lines come in: "q|r METHOD HEX"; lines go out:
 *
 *     METHOD|CODE TARGET FIELDS HEX-OF-THE-BODY whole|cut|more|refused:WORD
 *
 * more: there are bytes behind the message. A message of a response that ends with the connection is
 * whole at its end. */

#include <http_parser.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 100000 };

struct message {
    char target[LINE_MAX_BYTES], body[LINE_MAX_BYTES];
    size_t target_len, body_len;
    unsigned fields, begun, whole;
    bool is_head_whole, is_in_value, answers_head;
};

static int on_begin(http_parser *p)
{
    struct message *m = p->data;
    m->begun++;
    return 0;
}

static int on_url(http_parser *p, const char *at, size_t len)
{
    struct message *m = p->data;
    memcpy(m->target + m->target_len, at, len);
    m->target_len += len;
    return 0;
}

/* Comes in parts: a field begins where a name follows a value. Those after the head are trailers. */
static int on_name(http_parser *p, const char *at, size_t len)
{
    struct message *m = p->data;
    (void)at;
    (void)len;
    if (m->is_in_value || m->fields == 0)
        m->fields += m->is_head_whole ? 0 : 1;
    m->is_in_value = false;
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t len)
{
    struct message *m = p->data;
    (void)at;
    (void)len;
    m->is_in_value = true;
    return 0;
}

static int on_head(http_parser *p)
{
    struct message *m = p->data;
    m->is_head_whole = true;
    /* It is its user's to know where no body follows (RFC 9112 6.3). */
    return m->answers_head || p->status_code == 204 || p->status_code == 304 ? 1 : 0;
}

static int on_body(http_parser *p, const char *at, size_t len)
{
    struct message *m = p->data;
    memcpy(m->body + m->body_len, at, len);
    m->body_len += len;
    return 0;
}

static int on_whole(http_parser *p)
{
    struct message *m = p->data;
    m->whole++;
    return 0;
}

static size_t from_hex(const char *hex, char *out)
{
    size_t n = 0;
    unsigned byte;
    for (; hex[2 * n] != 0 && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        out[n] = (char)byte;
    return n;
}

static void print_hex(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        printf("%02x", (unsigned)(unsigned char)bytes[i]);
    if (len == 0)
        printf("-");
}

static void answer(bool is_response, const char *method, const char *bytes, size_t len)
{
    static const http_parser_settings settings = {
        .on_message_begin = on_begin,
        .on_url = on_url,
        .on_header_field = on_name,
        .on_header_value = on_value,
        .on_headers_complete = on_head,
        .on_body = on_body,
        .on_message_complete = on_whole,
    };
    static struct message m;
    http_parser p;
    size_t used;

    memset(&m, 0, sizeof m);
    m.answers_head = is_response && strcmp(method, "HEAD") == 0;
    http_parser_init(&p, is_response ? HTTP_RESPONSE : HTTP_REQUEST);
    p.data = &m;
    used = http_parser_execute(&p, &settings, bytes, len);
    if (is_response && m.whole == 0 && HTTP_PARSER_ERRNO(&p) == HPE_OK)
        (void)http_parser_execute(&p, &settings, bytes + len, 0);
    if (is_response)
        printf("%u -", p.status_code);
    else
        printf("%s %.*s", http_method_str((enum http_method)p.method), (int)m.target_len, m.target);
    printf(" %u ", m.fields);
    print_hex(m.body, m.body_len);
    if (m.whole == 1 && (m.begun > 1 || (used < len && HTTP_PARSER_ERRNO(&p) != HPE_OK)))
        printf(" more\n");
    else if (HTTP_PARSER_ERRNO(&p) != HPE_OK)
        printf(" refused:%s\n", http_errno_name(HTTP_PARSER_ERRNO(&p)));
    else
        printf(m.whole == 1 ? " whole\n" : " cut\n");
}

int main(void)
{
    static char line[LINE_MAX_BYTES], hex[LINE_MAX_BYTES], bytes[LINE_MAX_BYTES];
    char kind[2], method[64];

    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "%1s %63s %99999s", kind, method, hex) != 3)
            return 1;
        answer(kind[0] == 'r', method, bytes, from_hex(hex, bytes));
    }
    return 0;
}
