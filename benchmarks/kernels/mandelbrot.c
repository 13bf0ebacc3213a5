/* The Mandelbrot set on 16 by 16 points, 50 iterations at most: floats in locals. */
#include "kernel.h"

#define SIZE 16
#define LIMIT 50

u32 run(u32 n) {
    u32 total = 0;
    for (u32 round = 0; round < n; round++)
        for (u32 row = 0; row < SIZE; row++)
            for (u32 column = 0; column < SIZE; column++) {
                double cr = column * (3.0 / SIZE) - 2.25, ci = row * (2.5 / SIZE) - 1.25;
                double zr = 0, zi = 0;
                u32 i = 0;
                while (i < LIMIT && zr * zr + zi * zi <= 4.0) {
                    double next = zr * zr - zi * zi + cr;
                    zi = 2.0 * zr * zi + ci;
                    zr = next;
                    i++;
                }
                total += i;
            }
    return total;
}
