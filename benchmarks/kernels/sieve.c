/* The primes below 2048, counted by the sieve of Eratosthenes: bytes in memory. */
#include "kernel.h"

#define SIZE 2048
static u8 composite[SIZE];

u32 run(u32 n) {
    u32 count = 0;
    for (u32 round = 0; round < n; round++) {
        for (u32 i = 0; i < SIZE; i++) composite[i] = 0;
        for (u32 i = 2; i < SIZE; i++) {
            if (composite[i]) continue;
            count++;
            for (u32 j = i * i; j < SIZE; j += i) composite[j] = 1;
        }
    }
    return count;
}
