/* tls/wolfssl_ticket.c: the keys that session tickets are sealed with: made at random, one after the
 * other, known to all workers that have these settings, and forgotten when no ticket of theirs can be of
 * use. wolfSSL's own keys live for an hour, and fail handshakes when tickets are to live longer. */

#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include <string.h>
#include <time.h>

#include "tls/wolfssl.h" /* first: it knows how the library was built */

#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/wc_port.h>

/* A key seals for half of a ticket's life; what it sealed last is of use for two halves more. */
enum { KEYS = 3, KEY_LEN = CHACHA20_POLY1305_AEAD_KEYSIZE };

struct key {
    byte name[WOLFSSL_TICKET_NAME_SZ];
    byte secret[KEY_LEN];
};

struct gw_wolf_tickets {
    wolfSSL_Mutex lock;
    uint64_t turn;   /* seconds that a key seals               */
    uint64_t made;   /* when the newest was: 0, never          */
    uint32_t newest; /* of keys                                */
    uint32_t known;  /* of keys: the newest, and those before  */
    struct key keys[KEYS];
};

static void forget(void *at, size_t len)
{
    volatile byte *p = at;

    while (len-- > 0)
        *p++ = 0;
}

static uint64_t now(void)
{
    struct timespec t = { 0, 0 };

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec + 1;
}

struct gw_wolf_tickets *gw_wolf_tickets_new(struct gw_heap *heap, uint64_t life)
{
    struct gw_wolf_tickets *t = gw_heap_zalloc(heap, sizeof *t);

    if (t == NULL)
        return NULL;
    if (wc_InitMutex(&t->lock) != 0) {
        gw_heap_release(heap, t, sizeof *t);
        return NULL;
    }
    t->turn = life / 2 > 0 ? life / 2 : 1;
    return t;
}

void gw_wolf_tickets_free(struct gw_heap *heap, struct gw_wolf_tickets *t)
{
    if (t == NULL)
        return;
    (void)wc_FreeMutex(&t->lock);
    forget(t, sizeof *t);
    gw_heap_release(heap, t, sizeof *t);
}

/* Keys that are too old are forgotten; a new one is made where the newest has had its turn. */
static bool turn(struct gw_wolf_tickets *t, WC_RNG *rng, bool is_sealing)
{
    uint64_t turns = t->made == 0 ? KEYS : (now() - t->made) / t->turn;
    struct key *key;

    for (; t->known > 0 && t->known + turns > KEYS; t->known--)
        forget(&t->keys[(t->newest + KEYS - t->known + 1) % KEYS], sizeof t->keys[0]);
    if (!is_sealing || (turns == 0 && t->known > 0))
        return t->known > 0;
    key = &t->keys[(t->newest + 1) % KEYS];
    if (wc_RNG_GenerateBlock(rng, (byte *)key, sizeof *key) != 0)
        return false;
    key->name[0] |= 1; /* none is all zeros: wolfSSL would not take it */
    t->newest = (t->newest + 1) % KEYS;
    t->known = t->known < KEYS ? t->known + 1 : KEYS;
    t->made = now();
    return true;
}

static bool newest(struct gw_wolf_tickets *t, WC_RNG *rng, struct key *out)
{
    bool good;

    if (wc_LockMutex(&t->lock) != 0)
        return false;
    good = turn(t, rng, true);
    if (good)
        *out = t->keys[t->newest];
    (void)wc_UnLockMutex(&t->lock);
    return good;
}

static bool named(struct gw_wolf_tickets *t, const byte *name, struct key *out)
{
    bool good = false;

    if (wc_LockMutex(&t->lock) != 0)
        return false;
    (void)turn(t, NULL, false);
    for (uint32_t i = 0; !good && i < t->known; i++) {
        const struct key *key = &t->keys[(t->newest + KEYS - i) % KEYS];
        good = memcmp(key->name, name, sizeof key->name) == 0;
        if (good)
            *out = *key;
    }
    (void)wc_UnLockMutex(&t->lock);
    return good;
}

static int seal(struct gw_wolf_tickets *t, WC_RNG *rng, byte *name, byte *iv, byte *mac,
                byte *bytes, int len)
{
    struct key key;
    int done;

    if (!newest(t, rng, &key))
        return WOLFSSL_TICKET_RET_FATAL;
    memcpy(name, key.name, sizeof key.name);
    memset(mac, 0, WOLFSSL_TICKET_MAC_SZ);
    done = wc_RNG_GenerateBlock(rng, iv, WOLFSSL_TICKET_IV_SZ);
    if (done == 0)
        done = wc_ChaCha20Poly1305_Encrypt(key.secret, iv, name, WOLFSSL_TICKET_NAME_SZ, bytes,
                                           (word32)len, bytes, mac);
    forget(&key, sizeof key);
    return done == 0 ? WOLFSSL_TICKET_RET_OK : WOLFSSL_TICKET_RET_FATAL;
}

static int open_ticket(struct gw_wolf_tickets *t, const byte *name, const byte *iv, const byte *mac,
                       byte *bytes, int len)
{
    struct key key;
    int done;

    if (!named(t, name, &key))
        return WOLFSSL_TICKET_RET_REJECT;
    done = wc_ChaCha20Poly1305_Decrypt(key.secret, iv, name, WOLFSSL_TICKET_NAME_SZ, bytes,
                                       (word32)len, mac, bytes);
    forget(&key, sizeof key);
    return done == 0 ? WOLFSSL_TICKET_RET_OK : WOLFSSL_TICKET_RET_REJECT;
}

/* A nonce of 12 bytes is made of iv; a tag of 16 bytes is in mac. */
static int ticket(WOLFSSL *ssl, byte name[WOLFSSL_TICKET_NAME_SZ], byte iv[WOLFSSL_TICKET_IV_SZ],
                  byte mac[WOLFSSL_TICKET_MAC_SZ], int is_sealing, byte *bytes, int len,
                  int *out_len, void *ctx)
{
    *out_len = len;
    return is_sealing ? seal(ctx, wolfSSL_GetRNG(ssl), name, iv, mac, bytes, len)
                      : open_ticket(ctx, name, iv, mac, bytes, len);
}

bool gw_wolf_tickets_use(struct gw_wolf_tickets *t, WOLFSSL_CTX *ctx, uint64_t life)
{
    (void)wolfSSL_CTX_set_timeout(ctx, (unsigned int)life); /* how old one may be that is taken */
    return wolfSSL_CTX_set_TicketHint(ctx, (int)life) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_TicketEncCb(ctx, ticket) == WOLFSSL_SUCCESS &&
           wolfSSL_CTX_set_TicketEncCtx(ctx, t) == WOLFSSL_SUCCESS;
}
