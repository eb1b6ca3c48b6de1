/* library.h: a TLS library as the benchmark sees it: both ends of a connection in memory. */
#ifndef BENCH_TLS_LIBRARY_H
#define BENCH_TLS_LIBRARY_H

#include <stddef.h>

/* What one end has sent and the other has not read yet. */
struct wire {
    char *bytes;
    size_t at, end, room;
};

size_t wire_take(struct wire *w, void *to, size_t size);
void wire_put(struct wire *w, const void *from, size_t size);

/* Bytes that a library holds: each takes its memory from here. */
void *counted_take(size_t size);
void *counted_retake(void *at, size_t size);
void counted_give(void *at);

struct terms {
    const char *suite; /* as the library calls it */
    const char *key;   /* PEM files                */
    const char *cert;
    int version; /* 12 or 13                 */
    int p256;    /* key exchange, else X25519 */
};

struct library {
    const char *name;
    const char *(*version)(void);
    int (*prepare)(void); /* once: allocators */
    int (*open)(const struct terms *terms);
    void (*close)(void);
    void *(*new_end)(int server, struct wire *in, struct wire *out);
    int (*shake)(void *end); /* 1: done, 0: waits, -1: failed */
    int (*write)(void *end, const void *from, int size);
    int (*read)(void *end, void *to, int size); /* as much as one record has; 0: none */
    void (*free_end)(void *end);
    const char *suites[3]; /* TLS 1.3: AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305 */
    const char *suite12;   /* TLS 1.2, ECDSA, AES-128-GCM                          */
};

extern const struct library openssl, wolfssl;

#endif
