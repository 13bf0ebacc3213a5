/* JSON indented, byte by byte: a scanner with many branches. */
#include "kernel.h"

static const char text[] =
    "{\"name\":\"purewasm\",\"tags\":[\"wasm\",\"python\",\"plugin host\"],\"size\":20480,"
    "\"ok\":true,\"none\":null,\"empty\":{},\"list\":[],\"nested\":{\"depth\":{\"of\":[1,2.5,-3e8,"
    "{\"quote\":\"say \\\"hi\\\"\",\"path\":\"a\\\\b\"}]}},\"text\":\"brackets [ ] { } , : inside\"}";
static u8 output[2048];

static u32 newline(u32 at, u32 depth) {
    output[at++] = '\n';
    for (u32 i = 0; i < 2 * depth; i++) output[at++] = ' ';
    return at;
}

static u32 format(void) {
    u32 at = 0, depth = 0, in_string = 0;
    for (u32 i = 0; i < sizeof text - 1; i++) {
        u8 c = (u8)text[i];
        if (in_string) {
            output[at++] = c;
            if (c == '\\') output[at++] = (u8)text[++i];
            else if (c == '"') in_string = 0;
        } else if (c == '"') {
            output[at++] = c;
            in_string = 1;
        } else if (c == '{' || c == '[') {
            output[at++] = c;
            if (text[i + 1] == c + 2) output[at++] = (u8)text[++i];
            else at = newline(at, ++depth);
        } else if (c == '}' || c == ']') {
            at = newline(at, --depth);
            output[at++] = c;
        } else if (c == ',') {
            output[at++] = c;
            at = newline(at, depth);
        } else if (c == ':') {
            output[at++] = c;
            output[at++] = ' ';
        } else {
            output[at++] = c;
        }
    }
    return at;
}

u32 run(u32 n) {
    u32 hash = 2166136261u;
    for (u32 round = 0; round < n; round++) hash = checksum(hash, output, format());
    return hash;
}
