/* base/siphash.c: two rounds a word of eight bytes, four at the end. */

#include "base/siphash.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t n, unsigned by)
{
    return n << by | n >> (64 - by);
}

static void round_of(struct state *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static void take(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    round_of(s);
    round_of(s);
    s->v0 ^= word;
}

/* The lowest byte first, whatever the machine. */
static uint64_t word_at(gw_str text, size_t at, size_t len)
{
    uint64_t word = 0;

    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)(unsigned char)text.ptr[at + i] << 8 * i;
    return word;
}

uint64_t gw_siphash(struct gw_sip_key key, gw_str text)
{
    struct state s = { key.k0 ^ UINT64_C(0x736f6d6570736575), key.k1 ^ UINT64_C(0x646f72616e646f6d),
                       key.k0 ^ UINT64_C(0x6c7967656e657261),
                       key.k1 ^ UINT64_C(0x7465646279746573) };
    size_t whole = text.len - text.len % 8;

    for (size_t at = 0; at < whole; at += 8)
        take(&s, word_at(text, at, 8));
    take(&s, (uint64_t)text.len << 56 | word_at(text, whole, text.len - whole));
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        round_of(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
