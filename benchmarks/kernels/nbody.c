/* Five bodies that attract each other, ten steps: floats in memory, and square roots. */
#include "kernel.h"

#define BODIES 5
#define STEPS 10
static double x[BODIES], y[BODIES], z[BODIES], vx[BODIES], vy[BODIES], vz[BODIES], mass[BODIES];

static void start(void) {
    for (u32 i = 0; i < BODIES; i++) {
        x[i] = i * 1.5 - 2.0;
        y[i] = 3.0 - i * 0.75;
        z[i] = i * i * 0.25;
        vx[i] = 0.01 * i;
        vy[i] = 0.02 - 0.005 * i;
        vz[i] = 0.0;
        mass[i] = 1.0 + 0.5 * i;
    }
}

static void advance(double dt) {
    for (u32 i = 0; i < BODIES; i++) {
        for (u32 j = i + 1; j < BODIES; j++) {
            double dx = x[i] - x[j], dy = y[i] - y[j], dz = z[i] - z[j];
            double squared = dx * dx + dy * dy + dz * dz + 0.01;
            double force = dt / (squared * __builtin_sqrt(squared));
            vx[i] -= dx * mass[j] * force;
            vy[i] -= dy * mass[j] * force;
            vz[i] -= dz * mass[j] * force;
            vx[j] += dx * mass[i] * force;
            vy[j] += dy * mass[i] * force;
            vz[j] += dz * mass[i] * force;
        }
    }
    for (u32 i = 0; i < BODIES; i++) {
        x[i] += dt * vx[i];
        y[i] += dt * vy[i];
        z[i] += dt * vz[i];
    }
}

double run(u32 n) {
    double sum = 0;
    for (u32 round = 0; round < n; round++) {
        start();
        for (u32 step = 0; step < STEPS; step++) advance(0.01);
        for (u32 i = 0; i < BODIES; i++) sum += x[i] + y[i] + z[i];
    }
    return sum;
}
