/* Markdown to HTML: headings, paragraphs, lists, fences, emphasis, code and links. */
#include "kernel.h"

static const char text[] =
    "# PureWasm & friends\n\nA *plugin* host that needs **no** native wheel.\nIt runs `a < b` too.\n\n"
    "## Lists\n\n- one item\n- an *emphasised* one\n- see [the page](https://example.org/?a=1&b=2)\n\n"
    "```\nif (a < b && c > d) {\n    return *p;\n}\n```\n\nLast **bold *and* nested** words.\n";
static u8 output[4096];
static u32 at;

static void put(const char *s) {
    while (*s) output[at++] = (u8)*s++;
}

static void escaped(u8 c) {
    switch (c) {
        case '&': put("&amp;"); break;
        case '<': put("&lt;"); break;
        case '>': put("&gt;"); break;
        case '"': put("&quot;"); break;
        default: output[at++] = c;
    }
}

/* Where the closing character of a link's part stands, or 0. */
static u32 find(u32 from, u32 end, char c) {
    for (u32 i = from; i < end; i++)
        if (text[i] == c) return i;
    return 0;
}

static void line_of_text(u32 from, u32 end) {
    u32 bold = 0, emphasis = 0, i = from;
    while (i < end) {
        char c = text[i];
        if (c == '*' && text[i + 1] == '*') {
            put(bold ? "</strong>" : "<strong>");
            bold = !bold;
            i += 2;
        } else if (c == '*') {
            put(emphasis ? "</em>" : "<em>");
            emphasis = !emphasis;
            i++;
        } else if (c == '`') {
            put("<code>");
            for (i++; i < end && text[i] != '`'; i++) escaped((u8)text[i]);
            put("</code>");
            i++;
        } else if (c == '[') {
            u32 middle = find(i, end, ']'), close = find(i, end, ')');
            if (!middle || !close || text[middle + 1] != '(') {
                escaped((u8)c);
                i++;
                continue;
            }
            put("<a href=\"");
            for (u32 j = middle + 2; j < close; j++) escaped((u8)text[j]);
            put("\">");
            for (u32 j = i + 1; j < middle; j++) escaped((u8)text[j]);
            put("</a>");
            i = close + 1;
        } else {
            escaped((u8)c);
            i++;
        }
    }
}

enum { NOTHING, PARAGRAPH, LIST, FENCE };

static void close_block(u32 block) {
    if (block == PARAGRAPH) put("</p>\n");
    if (block == LIST) put("</ul>\n");
}

static void convert(void) {
    u32 block = NOTHING, start = 0;
    at = 0;
    while (start < sizeof text - 1) {
        u32 end = find(start, sizeof text, '\n');
        if (text[start] == '`' && text[start + 1] == '`' && text[start + 2] == '`') {
            if (block == FENCE) {
                put("</code></pre>\n");
                block = NOTHING;
            } else {
                close_block(block);
                put("<pre><code>");
                block = FENCE;
            }
        } else if (block == FENCE) {
            for (u32 i = start; i <= end; i++) escaped((u8)text[i]);
        } else if (start == end) {
            close_block(block);
            block = NOTHING;
        } else if (text[start] == '#') {
            u32 level = 0;
            while (text[start + level] == '#') level++;
            close_block(block);
            block = NOTHING;
            put("<h");
            output[at++] = (u8)('0' + level);
            put(">");
            line_of_text(start + level + 1, end);
            put("</h");
            output[at++] = (u8)('0' + level);
            put(">\n");
        } else if (text[start] == '-' && text[start + 1] == ' ') {
            if (block != LIST) {
                close_block(block);
                put("<ul>\n");
                block = LIST;
            }
            put("<li>");
            line_of_text(start + 2, end);
            put("</li>\n");
        } else {
            if (block != PARAGRAPH) {
                close_block(block);
                put("<p>");
                block = PARAGRAPH;
            } else {
                put("\n");
            }
            line_of_text(start, end);
        }
        start = end + 1;
    }
    close_block(block);
}

u32 run(u32 n) {
    u32 hash = 2166136261u;
    for (u32 round = 0; round < n; round++) {
        convert();
        hash = checksum(hash, output, at);
    }
    return hash;
}
