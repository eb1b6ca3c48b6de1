/* json.c: a line of JSON in a buffer of the caller's. It knows nothing of what is written. */
#include "json.h"

#include <string.h>

/* Kept free at the end of the buffer, for the brace that ends the object. */
enum { CLOSING = 1 };

void json_open(struct json *j, char *out, size_t max)
{
    *j = (struct json){ .out = out, .max = max, .is_first = true };
    if (max > CLOSING)
        j->out[j->len++] = '{';
}

static bool put(struct json *j, const char *ptr, size_t len)
{
    if (len > j->max - CLOSING - j->len)
        return false;
    memcpy(j->out + j->len, ptr, len);
    j->len += len;
    return true;
}

static bool put_name(struct json *j, const char *name)
{
    bool fits = j->is_first || put(j, ",", 1);
    return fits && put(j, "\"", 1) && put(j, name, strlen(name)) && put(j, "\":", 2);
}

/* A member is all there or not at all: back to where it began. */
static void settle(struct json *j, size_t start, bool fits)
{
    if (fits) {
        j->is_first = false;
        return;
    }
    j->len = start;
    j->is_cut = true;
}

/* One byte as JSON has it, at most six bytes; returns how many. */
static size_t escape(unsigned char byte, char out[6])
{
    static const char digits[] = "0123456789abcdef";
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: the byte, its letter */
    for (size_t i = 0; i + 1 < sizeof named; i += 2) {
        if ((unsigned char)named[i] == byte) {
            out[0] = '\\';
            out[1] = named[i + 1];
            return 2;
        }
    }
    if (byte >= 0x20 && byte < 0x7f) {
        out[0] = (char)byte;
        return 1;
    }
    memcpy(out, "\\u00", 4);
    out[4] = digits[byte >> 4];
    out[5] = digits[byte & 15];
    return 6;
}

static bool put_escaped(struct json *j, gw_str value, size_t value_max)
{
    size_t used = 0;
    for (size_t i = 0; i < value.len; i++) {
        char bytes[6];
        size_t len = escape((unsigned char)value.ptr[i], bytes);
        if (used + len > value_max)
            return put(j, "...", 3);
        if (!put(j, bytes, len))
            return false;
        used += len;
    }
    return true;
}

void json_text(struct json *j, const char *name, gw_str value, size_t value_max)
{
    if (value.len == 0) {
        json_null(j, name);
        return;
    }
    size_t start = j->len;
    bool fits = put_name(j, name) && put(j, "\"", 1) && put_escaped(j, value, value_max) &&
                put(j, "\"", 1);
    settle(j, start, fits);
}

void json_number(struct json *j, const char *name, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    size_t start = j->len;
    settle(j, start, put_name(j, name) && put(j, digits + at, sizeof digits - at));
}

void json_raw(struct json *j, const char *name, gw_str value)
{
    size_t start = j->len;
    settle(j, start, put_name(j, name) && put(j, value.ptr, value.len));
}

void json_null(struct json *j, const char *name)
{
    json_raw(j, name, gw_cstr("null"));
}

void json_bool(struct json *j, const char *name, bool value)
{
    json_raw(j, name, gw_cstr(value ? "true" : "false"));
}

size_t json_close(struct json *j)
{
    if (j->max > CLOSING)
        j->out[j->len++] = '}';
    return j->len;
}
