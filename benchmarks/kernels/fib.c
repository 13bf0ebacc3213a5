/* fib(15), by plain recursion: calls and returns. */
#include "kernel.h"

__attribute__((noinline, disable_tail_calls)) static u32 fib(u32 n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

/* Volatile, or the compiler would call once and multiply. */
static volatile u32 argument = 15;

u32 run(u32 n) {
    u32 sum = 0;
    for (u32 i = 0; i < n; i++) sum += fib(argument);
    return sum;
}
