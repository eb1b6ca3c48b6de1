/* base/divisor.h: what two numbers have in common. */
#ifndef GW_BASE_DIVISOR_H
#define GW_BASE_DIVISOR_H

#include <stdint.h>

/* The greatest common divisor; of 0 and a number that number. */
static inline uint64_t gw_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

#endif
