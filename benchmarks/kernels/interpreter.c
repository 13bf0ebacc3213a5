/* A stack machine that runs a program in its own bytecode: one large switch, a br_table. */
#include "kernel.h"

enum { PUSH, LOAD, STORE, ADD, SUB, MUL, AND, SHIFT, LESS, JUMP, JUMP_IF, DUP, SWAP, DROP, HALT };

/* The lengths of the Collatz series of the numbers from 2 to 23, summed. Variable 0 is the sum, 1
   the number that a series starts from, 2 the series. */
static const u8 program[] = {
    PUSH, 0, STORE, 0, PUSH, 2, STORE, 1,         /*  0: sum = 0; start = 2 */
    LOAD, 1, STORE, 2,                            /*  8: do { value = start */
    LOAD, 0, PUSH, 1, ADD, STORE, 0,              /* 12:   do { sum += 1 */
    LOAD, 2, PUSH, 1, AND, JUMP_IF, 35,           /* 19:     if value is even */
    LOAD, 2, PUSH, 1, SHIFT, STORE, 2, JUMP, 45,  /* 26:       value >>= 1 */
    LOAD, 2, PUSH, 3, MUL, PUSH, 1, ADD, STORE, 2, /* 35:    else value = value * 3 + 1 */
    PUSH, 1, LOAD, 2, LESS, JUMP_IF, 12,          /* 45:   } while 1 < value */
    LOAD, 1, PUSH, 1, ADD, DUP, STORE, 1,         /* 52:   start += 1 */
    PUSH, 24, LESS, JUMP_IF, 8,                   /* 60: } while start < 24 */
    LOAD, 0, HALT,                                /* 65: answer sum */
};

static u32 stack[16], variables[4];

static u32 execute(void) {
    u32 at = 0, top = 0, swapped;
    for (;;) {
        switch (program[at++]) {
            case PUSH: stack[top++] = program[at++]; break;
            case LOAD: stack[top++] = variables[program[at++]]; break;
            case STORE: variables[program[at++]] = stack[--top]; break;
            case ADD: top--, stack[top - 1] += stack[top]; break;
            case SUB: top--, stack[top - 1] -= stack[top]; break;
            case MUL: top--, stack[top - 1] *= stack[top]; break;
            case AND: top--, stack[top - 1] &= stack[top]; break;
            case SHIFT: top--, stack[top - 1] >>= stack[top] & 31; break;
            case LESS: top--, stack[top - 1] = stack[top - 1] < stack[top]; break;
            case JUMP: at = program[at]; break;
            case JUMP_IF: at = stack[--top] ? program[at] : at + 1; break;
            case DUP: stack[top] = stack[top - 1], top++; break;
            case SWAP:
                swapped = stack[top - 1];
                stack[top - 1] = stack[top - 2];
                stack[top - 2] = swapped;
                break;
            case DROP: top--; break;
            case HALT: return stack[--top];
        }
    }
}

u32 run(u32 n) {
    u32 sum = 0;
    for (u32 round = 0; round < n; round++) sum = sum * 31 + execute();
    return sum;
}
