/* 200 signed numbers made up and sorted: recursion, comparisons, exchanges in memory. */
#include "kernel.h"

#define SIZE 200
static i32 numbers[SIZE];

static void sort(i32 low, i32 high) {
    i32 pivot = numbers[(low + high) / 2], i = low, j = high;
    while (i <= j) {
        while (numbers[i] < pivot) i++;
        while (numbers[j] > pivot) j--;
        if (i <= j) {
            i32 swapped = numbers[i];
            numbers[i++] = numbers[j];
            numbers[j--] = swapped;
        }
    }
    if (low < j) sort(low, j);
    if (i < high) sort(i, high);
}

u32 run(u32 n) {
    u32 sum = 0, state = 1;
    for (u32 round = 0; round < n; round++) {
        for (u32 i = 0; i < SIZE; i++) numbers[i] = (i32)next_random(&state) - 0x800000;
        sort(0, SIZE - 1);
        for (u32 i = 0; i < SIZE; i += 8) sum = sum * 31 + (u32)numbers[i];
    }
    return sum;
}
