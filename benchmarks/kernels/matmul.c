/* The product of two matrices of 12 by 12 floats: loads of f64, and sums of products. */
#include "kernel.h"

#define SIZE 12
static double a[SIZE][SIZE], b[SIZE][SIZE], product[SIZE][SIZE];

double run(u32 n) {
    double total = 0;
    for (u32 round = 0; round < n; round++) {
        for (u32 i = 0; i < SIZE; i++)
            for (u32 j = 0; j < SIZE; j++) {
                a[i][j] = (round & 7) + i * 0.25 - j * 0.125;
                b[i][j] = 1.5 - i * 0.375 + j * 0.0625;
            }
        for (u32 i = 0; i < SIZE; i++)
            for (u32 j = 0; j < SIZE; j++) {
                double sum = 0;
                for (u32 k = 0; k < SIZE; k++) sum += a[i][k] * b[k][j];
                product[i][j] = sum;
            }
        for (u32 i = 0; i < SIZE; i++)
            for (u32 j = 0; j < SIZE; j++) total += product[i][j] * (i + 1.0);
    }
    return total;
}
