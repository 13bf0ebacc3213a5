/* BLAKE2b (RFC 7693) of 512 bytes: rotations and sums of i64. */
#include "kernel.h"

#define SIZE 512
static const u64 IV[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                          0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                          0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
static const u8 SIGMA[10][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                 {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
                                 {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
                                 {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
                                 {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
                                 {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
                                 {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
                                 {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
                                 {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
                                 {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};
static u64 message[SIZE / 8], h[8], v[16];

static inline u64 rotate(u64 x, u32 count) { return x >> count | x << (64 - count); }

static void mix(u32 a, u32 b, u32 c, u32 d, u64 x, u64 y) {
    v[a] += v[b] + x;
    v[d] = rotate(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = rotate(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 63);
}

static void compress(const u64 *m, u64 length, int last) {
    for (u32 i = 0; i < 8; i++) v[i] = h[i], v[i + 8] = IV[i];
    v[12] ^= length;
    if (last) v[14] = ~v[14];
    for (u32 round = 0; round < 12; round++) {
        const u8 *s = SIGMA[round % 10];
        mix(0, 4, 8, 12, m[s[0]], m[s[1]]);
        mix(1, 5, 9, 13, m[s[2]], m[s[3]]);
        mix(2, 6, 10, 14, m[s[4]], m[s[5]]);
        mix(3, 7, 11, 15, m[s[6]], m[s[7]]);
        mix(0, 5, 10, 15, m[s[8]], m[s[9]]);
        mix(1, 6, 11, 12, m[s[10]], m[s[11]]);
        mix(2, 7, 8, 13, m[s[12]], m[s[13]]);
        mix(3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (u32 i = 0; i < 8; i++) h[i] ^= v[i] ^ v[i + 8];
}

u64 run(u32 n) {
    u64 sum = 0;
    for (u32 round = 0; round < n; round++) {
        for (u32 i = 0; i < SIZE / 8; i++) message[i] = (i + 1) * 0x9e3779b97f4a7c15;
        for (u32 i = 0; i < 8; i++) h[i] = IV[i];
        h[0] ^= 0x01010040;
        for (u32 start = 0; start < SIZE; start += 128)
            compress(message + start / 8, start + 128, start + 128 == SIZE);
        sum = sum * 31 + h[0];
    }
    return sum;
}
