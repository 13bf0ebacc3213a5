/* Base64 of 384 bytes, there and back: shifts, masks and tables of bytes. */
#include "kernel.h"

#define SIZE 384
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static u8 plain[SIZE], encoded[SIZE / 3 * 4], decoded[SIZE], values[256];

static void prepare(void) {
    for (u32 i = 0; i < 64; i++) values[(u8)digits[i]] = (u8)i;
    for (u32 i = 0; i < SIZE; i++) plain[i] = (u8)(i * 73 >> 1);
}

static void encode(void) {
    for (u32 i = 0, j = 0; i < SIZE; i += 3, j += 4) {
        u32 group = (u32)plain[i] << 16 | (u32)plain[i + 1] << 8 | plain[i + 2];
        encoded[j] = (u8)digits[group >> 18];
        encoded[j + 1] = (u8)digits[group >> 12 & 63];
        encoded[j + 2] = (u8)digits[group >> 6 & 63];
        encoded[j + 3] = (u8)digits[group & 63];
    }
}

static void decode(void) {
    for (u32 i = 0, j = 0; i < SIZE; i += 3, j += 4) {
        u32 group = (u32)values[encoded[j]] << 18 | (u32)values[encoded[j + 1]] << 12 |
                    (u32)values[encoded[j + 2]] << 6 | values[encoded[j + 3]];
        decoded[i] = (u8)(group >> 16);
        decoded[i + 1] = (u8)(group >> 8);
        decoded[i + 2] = (u8)group;
    }
}

u32 run(u32 n) {
    if (!values['B']) prepare();
    u32 hash = 2166136261u;
    for (u32 round = 0; round < n; round++) {
        plain[0] = (u8)round;
        encode();
        decode();
        hash = checksum(hash, decoded, 16);
        hash = checksum(hash, encoded, 16);
    }
    return hash;
}
