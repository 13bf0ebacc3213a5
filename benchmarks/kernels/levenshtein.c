/* The edit distance of two strings of 40 and 48 letters: minima of three, and i32 in memory. */
#include "kernel.h"

#define FIRST 40
#define SECOND 48
static u8 first[FIRST], second[SECOND];
static u32 row[SECOND + 1];

static u32 distance(void) {
    for (u32 j = 0; j <= SECOND; j++) row[j] = j;
    for (u32 i = 0; i < FIRST; i++) {
        u32 diagonal = row[0];
        row[0] = i + 1;
        for (u32 j = 0; j < SECOND; j++) {
            u32 best = diagonal + (first[i] != second[j]);
            diagonal = row[j + 1];
            if (diagonal + 1 < best) best = diagonal + 1;
            if (row[j] + 1 < best) best = row[j] + 1;
            row[j + 1] = best;
        }
    }
    return row[SECOND];
}

u32 run(u32 n) {
    u32 sum = 0, state = 1;
    for (u32 round = 0; round < n; round++) {
        for (u32 i = 0; i < FIRST; i++) first[i] = 'a' + next_random(&state) % 4;
        for (u32 i = 0; i < SECOND; i++) second[i] = 'a' + next_random(&state) % 4;
        sum = sum * 31 + distance();
    }
    return sum;
}
