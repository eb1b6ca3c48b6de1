/* base/wipe.h: overwrites secrets before their memory goes. */
#ifndef GW_BASE_WIPE_H
#define GW_BASE_WIPE_H

#include <string.h>

/* Not left out by a compiler that sees nobody read it. */
static inline void gw_wipe(void *bytes, size_t len)
{
    memset(bytes, 0, len);
    __asm__ volatile("" : : "r"(bytes) : "memory");
}

#endif
