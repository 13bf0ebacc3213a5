/* Horspool's search for six patterns of letters in a text of 1 KiB. */
#include "kernel.h"

#define SIZE 1024
#define LENGTH 6
static u8 text[SIZE], pattern[LENGTH];
static u32 skip[256];

static void prepare(void) {
    u32 state = 7;
    for (u32 i = 0; i < SIZE; i++) text[i] = 'a' + next_random(&state) % 8;
}

/* Where the pattern first stands in the text; SIZE where it does not. */
static u32 search(void) {
    for (u32 i = 0; i < 256; i++) skip[i] = LENGTH;
    for (u32 i = 0; i < LENGTH - 1; i++) skip[pattern[i]] = LENGTH - 1 - i;
    u32 at = 0;
    while (at <= SIZE - LENGTH) {
        u32 i = LENGTH;
        while (i > 0 && text[at + i - 1] == pattern[i - 1]) i--;
        if (i == 0) return at;
        at += skip[text[at + LENGTH - 1]];
    }
    return SIZE;
}

u32 run(u32 n) {
    if (!text[0]) prepare();
    u32 sum = 0;
    for (u32 round = 0; round < n; round++)
        for (u32 place = 100; place < 700; place += 100) {
            /* One letter of what stands there is changed in every other pattern. */
            for (u32 i = 0; i < LENGTH; i++) pattern[i] = text[place + i];
            if (place & 4) pattern[2] = 'z';
            sum = sum * 31 + search();
        }
    return sum;
}
