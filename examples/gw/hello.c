/* hello.c: the two messages of helloworld.proto. What it reads comes from a peer: every length is
 * checked against what is there.
 */
#include "hello.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
enum { TAG_TEXT = 1 << 3 | WIRE_BYTES };

/* ---- writing ---- */

static size_t put_varint(unsigned char *out, uint64_t value)
{
    size_t n = 0;
    while (value >= 128) {
        out[n++] = (unsigned char)(value | 128);
        value >>= 7;
    }
    out[n++] = (unsigned char)value;
    return n;
}

size_t hello_write(unsigned char *out, gw_str text)
{
    enum { AROUND = HELLO_PREFIX + 1 + 10 };
    if (text.len > HELLO_MESSAGE_MAX - AROUND)
        return 0;
    size_t n = HELLO_PREFIX;
    out[n++] = TAG_TEXT;
    n += put_varint(out + n, text.len);
    memcpy(out + n, text.ptr, text.len);
    n += text.len;
    size_t message = n - HELLO_PREFIX;
    memset(out, 0, HELLO_PREFIX);
    out[3] = (unsigned char)(message >> 8);
    out[4] = (unsigned char)message;
    return n;
}

/* ---- reading ---- */

struct bytes {
    const unsigned char *at;
    size_t left;
};

static bool get_varint(struct bytes *in, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (in->left == 0)
            return false;
        unsigned char byte = *in->at++;
        in->left--;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool skip(struct bytes *in, uint64_t len)
{
    if (len > in->left)
        return false;
    in->at += len;
    in->left -= (size_t)len;
    return true;
}

static bool skip_value(struct bytes *in, uint64_t tag)
{
    uint64_t value = 0;
    switch (tag & 7) {
    case WIRE_VARINT:
        return get_varint(in, &value);
    case WIRE_64:
        return skip(in, 8);
    case WIRE_32:
        return skip(in, 4);
    case WIRE_BYTES:
        return get_varint(in, &value) && skip(in, value);
    default:
        return false;
    }
}

bool hello_read(const unsigned char *bytes, size_t len, gw_str *out)
{
    struct bytes in = { bytes, len };
    gw_str text = { "", 0 };
    while (in.left > 0) {
        uint64_t tag = 0, text_len = 0;
        if (!get_varint(&in, &tag) || tag >> 3 == 0)
            return false;
        if (tag != TAG_TEXT) {
            if (!skip_value(&in, tag))
                return false;
            continue;
        }
        if (!get_varint(&in, &text_len) || text_len > in.left)
            return false;
        text = (gw_str){ (const char *)in.at, (size_t)text_len };
        (void)skip(&in, text_len);
    }
    *out = text;
    return true;
}

/* ---- messages in a stream ---- */

static size_t fill(unsigned char *to, size_t *have, size_t wanted, const unsigned char *bytes,
                   size_t len)
{
    size_t n = wanted - *have < len ? wanted - *have : len;
    if (n > 0)
        memcpy(to + *have, bytes, n);
    *have += n;
    return n;
}

static void read_prefix(struct hello_reader *reader)
{
    const unsigned char *p = reader->prefix;
    reader->wanted = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
    reader->is_compressed = p[0] != 0;
    reader->is_too_long = reader->wanted > HELLO_MESSAGE_MAX;
}

size_t hello_reader_take(struct hello_reader *reader, const unsigned char *bytes, size_t len,
                         bool *is_whole)
{
    size_t taken = 0;
    *is_whole = false;
    if (reader->prefix_len < HELLO_PREFIX) {
        taken = fill(reader->prefix, &reader->prefix_len, HELLO_PREFIX, bytes, len);
        if (reader->prefix_len < HELLO_PREFIX)
            return taken;
        read_prefix(reader);
    }
    if (reader->is_too_long || reader->is_compressed)
        return taken;
    taken += fill(reader->message, &reader->message_len, reader->wanted, bytes + taken,
                  len - taken);
    *is_whole = reader->message_len == reader->wanted;
    return taken;
}

void hello_reader_next(struct hello_reader *reader)
{
    reader->prefix_len = 0;
    reader->message_len = 0;
}

bool hello_reader_is_between(const struct hello_reader *reader)
{
    return reader->prefix_len == 0;
}
