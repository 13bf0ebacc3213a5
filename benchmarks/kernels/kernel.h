/* What the kernels share. Each exports `run(n)`, which does n units of the same work and gives a
   checksum, so that a fast engine and a slow one can do as many units as suits them. */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;

/* FNV-1a over `size` bytes, going on from `hash`. */
static inline u32 checksum(u32 hash, const u8 *data, u32 size) {
    for (u32 i = 0; i < size; i++) hash = (hash ^ data[i]) * 16777619u;
    return hash;
}

/* The next of a series of numbers that look random. */
static inline u32 next_random(u32 *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}
