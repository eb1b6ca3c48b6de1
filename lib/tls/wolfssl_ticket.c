/* tls/wolfssl_ticket.c: tickets sealed and opened: ChaCha20-Poly1305, which costs little without assembly
 * too. The vector is twelve random bytes and the time; the time, the settings, the certificate and the name
 * that was asked for are sealed with it, so that a ticket is good for nothing else (RFC 6066, 3). */

#include "tls/wolfssl_ticket.h"

#include <string.h>

#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "base/wipe.h"

enum { NONCE = CHACHA20_POLY1305_AEAD_IV_SIZE, TAG = CHACHA20_POLY1305_AEAD_AUTHTAG_SIZE };
enum { TIME_AT = NONCE, NAME_MAX_BYTES = 255 };
/* Clocks of a fleet may be so far apart: seconds. */
enum { SKEW = 60 };

struct bound {
    byte bytes[4 + 1 + 4 + 16 + NAME_MAX_BYTES];
    word32 len;
};

static void put(struct bound *b, const void *bytes, size_t len)
{
    memcpy(b->bytes + b->len, bytes, len);
    b->len += (word32)len;
}

static void put_u32(byte *out, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        out[i] = (byte)(n >> (24 - 8 * i));
}

static uint32_t get_u32(const byte *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

static void bind_use(struct bound *b, const struct gw_wolf_ticket_use *use, WOLFSSL *ssl,
                     const byte *iv)
{
    byte is_13 = wolfSSL_version(ssl) == TLS1_3_VERSION, pair[4], id[16];

    b->len = 0;
    put_u32(pair, use->pair);
    for (int i = 0; i < 2; i++) {
        put_u32(id + 8 * i, (uint32_t)(use->tls->ticket_id[i] >> 32));
        put_u32(id + 8 * i + 4, (uint32_t)use->tls->ticket_id[i]);
    }
    put(b, iv + TIME_AT, 4);
    put(b, &is_13, 1);
    put(b, pair, sizeof pair);
    put(b, id, sizeof id);
    put(b, use->name.ptr != NULL ? use->name.ptr : "",
        use->name.len < NAME_MAX_BYTES ? use->name.len : NAME_MAX_BYTES);
}

static void choose_key(const struct gw_wolf_ticket_use *use, struct gw_ticket_key *out)
{
    if (use->tls->ticket_keys_len > 0)
        *out = use->tls->ticket_keys[0];
    else
        gw_tickets_newest(use->tickets, use->tls->ticket_life, out);
}

static bool find_key(const struct gw_wolf_ticket_use *use, const byte *name,
                     struct gw_ticket_key *out)
{
    if (use->tls->ticket_keys_len == 0)
        return gw_tickets_find(use->tickets, name, out);
    for (uint32_t i = 0; i < use->tls->ticket_keys_len; i++) {
        *out = use->tls->ticket_keys[i];
        if (memcmp(out->name, name, GW_TICKET_NAME) == 0)
            return true;
    }
    gw_wipe(out, sizeof *out);
    return false;
}

int gw_wolf_seal_ticket(const struct gw_wolf_ticket_use *use, WOLFSSL *ssl, byte *name, byte *iv,
                        byte *mac, byte *bytes, int len, int *out_len)
{
    struct gw_ticket_key key;
    struct bound bound;
    int error = wc_RNG_GenerateBlock(wolfSSL_GetRNG(ssl), iv, NONCE);

    if (error != 0)
        return WOLFSSL_TICKET_RET_FATAL;
    choose_key(use, &key);
    put_u32(iv + TIME_AT, (uint32_t)gw_tickets_now(use->tickets));
    memcpy(name, key.name, GW_TICKET_NAME);
    bind_use(&bound, use, ssl, iv);
    error = wc_ChaCha20Poly1305_Encrypt(key.secret, iv, bound.bytes, bound.len, bytes, (word32)len,
                                        bytes, mac);
    gw_wipe(&key, sizeof key);
    *out_len = len;
    return error == 0 ? WOLFSSL_TICKET_RET_OK : WOLFSSL_TICKET_RET_FATAL;
}

static bool is_fresh(const struct gw_wolf_ticket_use *use, const byte *iv)
{
    uint32_t now = (uint32_t)gw_tickets_now(use->tickets);

    /* Of another machine's clock it may be a little from the future. */
    return now + SKEW - get_u32(iv + TIME_AT) < SKEW + use->tls->ticket_life;
}

/* What cannot be used is no fault of who brings it: the handshake is a whole one. */
int gw_wolf_open_ticket(const struct gw_wolf_ticket_use *use, WOLFSSL *ssl, const byte *name,
                        const byte *iv, const byte *mac, byte *bytes, int len, int *out_len)
{
    struct gw_ticket_key key;
    struct bound bound;
    int error;

    if (!is_fresh(use, iv) || !find_key(use, name, &key))
        return WOLFSSL_TICKET_RET_REJECT;
    bind_use(&bound, use, ssl, iv);
    error = wc_ChaCha20Poly1305_Decrypt(key.secret, iv, bound.bytes, bound.len, bytes, (word32)len,
                                        mac, bytes);
    gw_wipe(&key, sizeof key);
    *out_len = len;
    return error == 0 ? WOLFSSL_TICKET_RET_OK : WOLFSSL_TICKET_RET_REJECT;
}

/* ---- the host's ---- */

/* The name is seen on the wire, so neither it nor the key is a piece of the secret. */
static int derive(struct gw_ticket_key *key, gw_str secret)
{
    byte text[1 + GW_TICKET_KEY_MAX], name[WC_SHA256_DIGEST_SIZE];
    int error;

    memcpy(text + 1, secret.ptr, secret.len);
    text[0] = 1;
    error = wc_Sha256Hash(text, (word32)(1 + secret.len), name);
    memcpy(key->name, name, GW_TICKET_NAME);
    text[0] = 2;
    if (error == 0)
        error = wc_Sha256Hash(text, (word32)(1 + secret.len), key->secret);
    gw_wipe(text, sizeof text);
    key->is_drawn = true;
    return error;
}

gw_status gw_wolf_take_ticket_keys(gw_tls *tls, const gw_tls_spec *spec)
{
    tls->ticket_keys = gw_store_take(&tls->store, spec->ticket_keys_len, sizeof *tls->ticket_keys);
    if (tls->ticket_keys == NULL)
        return GW_ENOMEM;
    tls->ticket_keys_len = (uint32_t)spec->ticket_keys_len;
    for (uint32_t i = 0; i < tls->ticket_keys_len; i++)
        if (derive(&tls->ticket_keys[i], spec->ticket_keys[i]) != 0)
            return GW_ENOMEM;
    return GW_OK;
}
