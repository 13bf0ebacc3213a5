/* CRC-32 (IEEE 802.3) of 1 KiB, by a table that the first call makes: a short loop of loads. */
#include "kernel.h"

#define SIZE 1024
static u8 data[SIZE];
static u32 table[256];

static void prepare(void) {
    for (u32 i = 0; i < 256; i++) {
        u32 value = i;
        for (u32 bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320u ^ value >> 1 : value >> 1;
        table[i] = value;
    }
    for (u32 i = 0; i < SIZE; i++) data[i] = (u8)(i * 31 >> 2);
}

u32 run(u32 n) {
    if (!table[1]) prepare();
    u32 crc = 0;
    for (u32 round = 0; round < n; round++) {
        crc = ~crc;
        for (u32 i = 0; i < SIZE; i++) crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
        crc = ~crc;
    }
    return crc;
}
