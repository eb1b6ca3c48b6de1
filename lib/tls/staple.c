/* tls/staple.c: a walk down one response in DER. */

#include "tls/staple.h"

#include <string.h>

enum { ENUMERATED = 0x0a, OID = 0x06, OCTETS = 0x04, SEQUENCE = 0x30, TIME = 0x18 };
enum { EXPLICIT_0 = 0xa0, EXPLICIT_1 = 0xa1, EXPLICIT_2 = 0xa2 };

/* Takes the first value off *in: its contents are *out. */
static bool take(gw_str *in, uint8_t tag, gw_str *out)
{
    const uint8_t *at = (const uint8_t *)in->ptr;
    size_t head = 2, len, n;

    if (in->len < 2 || at[0] != tag)
        return false;
    len = at[1];
    if (len >= 0x80) {
        n = len & 0x7f;
        if (n == 0 || n > 3 || in->len < 2 + n)
            return false;
        for (len = 0; head < 2 + n; head++)
            len = len << 8 | at[head];
    }
    if (in->len - head < len)
        return false;
    *in = (gw_str){ in->ptr + head + len, in->len - head - len };
    *out = (gw_str){ (const char *)at + head, len }; /* last: it may be in */
    return true;
}

/* The next value, whatever it is. */
static bool skip(gw_str *in)
{
    gw_str any;

    return in->len > 0 && take(in, (uint8_t)in->ptr[0], &any);
}

static bool digits(const char *at, size_t n, unsigned *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        *out = *out * 10 + (unsigned)(at[i] - '0');
    }
    return true;
}

/* Of the Gregorian calendar, from 1970 on. */
static uint64_t days_before(unsigned year, unsigned month)
{
    static const uint16_t before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    unsigned last = year - 1;
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    uint64_t leaps = last / 4 - last / 100 + last / 400 - 477; /* 477: those before 1970 */

    return (uint64_t)(year - 1970) * 365 + leaps + before[month - 1] + (is_leap && month > 2);
}

/* "20260102030405Z" */
static bool read_time(gw_str text, uint64_t *out)
{
    unsigned year, month, day, hour, minute, second;

    if (text.len != 15 || text.ptr[14] != 'Z' || !digits(text.ptr, 4, &year) ||
        !digits(text.ptr + 4, 2, &month) || !digits(text.ptr + 6, 2, &day) ||
        !digits(text.ptr + 8, 2, &hour) || !digits(text.ptr + 10, 2, &minute) ||
        !digits(text.ptr + 12, 2, &second))
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
        second > 60)
        return false;
    *out = ((days_before(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60u + second;
    return true;
}

bool gw_tls_staple_until(gw_str der, uint64_t *out)
{
    gw_str in = der, part, until;

    if (!take(&in, SEQUENCE, &in) || !take(&in, ENUMERATED, &part) || part.len != 1 ||
        part.ptr[0] != 0)
        return false;
    if (!take(&in, EXPLICIT_0, &in) || !take(&in, SEQUENCE, &in) || !take(&in, OID, &part) ||
        !take(&in, OCTETS, &in) || !take(&in, SEQUENCE, &in) || !take(&in, SEQUENCE, &in))
        return false;
    (void)take(&in, EXPLICIT_0, &part); /* version: it need not be there */
    if (!take(&in, EXPLICIT_1, &part) && !take(&in, EXPLICIT_2, &part))
        return false;
    if (!take(&in, TIME, &part) || !take(&in, SEQUENCE, &in) || !take(&in, SEQUENCE, &in))
        return false;
    if (!take(&in, SEQUENCE, &part) || !skip(&in) || !take(&in, TIME, &part))
        return false;
    return take(&in, EXPLICIT_0, &part) && take(&part, TIME, &until) && read_time(until, out);
}
