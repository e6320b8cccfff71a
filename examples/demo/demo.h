/* demo.h - what the demo's host and the libraries that it loads hand to each other: plain C
 * structs, no kiln.h.
 *
 * The host is compiled ahead of time; query.c, window.cpp and rasterizer.c are loaded from source
 * while it runs. */
#ifndef KILN_DEMO_H
#define KILN_DEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DEMO_COLUMNS = 8, DEMO_ROWS = 64, DEMO_CELL_BYTES = 40 };

/* The result of one SQL query, as text. Cells beyond the limits are cut off. */
typedef struct demo_table {
    size_t column_count, row_count;
    char names[DEMO_COLUMNS][DEMO_CELL_BYTES];
    char cells[DEMO_ROWS][DEMO_COLUMNS][DEMO_CELL_BYTES];
} demo_table;

/* How long one library took to load. */
typedef struct demo_timing {
    const char *library;
    double seconds;
    bool hit;
} demo_timing;

/* What the window shows. */
typedef struct demo_content {
    const char *sqlite_version;
    const demo_table *planets;
    const demo_table *wave; /* one column of numbers */
    const demo_timing *timings;
    size_t timing_count;
} demo_content;

typedef struct demo_vertex {
    float x, y, u, v;
    uint32_t rgba; /* red in the lowest byte */
} demo_vertex;

/* Triangles index_offset .. index_offset + index_count, drawn inside a rectangle of pixels (right
 * and bottom exclusive). */
typedef struct demo_command {
    float clip_left, clip_top, clip_right, clip_bottom;
    uint32_t index_offset, index_count;
} demo_command;

/* A finished picture as a graphics card would be given it. Owned by whoever made it. */
typedef struct demo_mesh {
    demo_vertex *vertices;
    uint32_t *indices;
    demo_command *commands;
    size_t vertex_count, index_count, command_count;
    const uint32_t *texture;
    int texture_width, texture_height;
} demo_mesh;

/* query.c: run `setup`, then `select`, in a database in memory. 0, or -1 with a message. */
int query_run(const char *setup, const char *select, demo_table *table, char *message,
              size_t message_size);
const char *query_version(void);

/* window.cpp: lay out the window with Dear ImGui. The mesh is good until window_close. false when
 * out of memory. */
bool window_draw(const demo_content *content, int width, int height, demo_mesh *mesh);
void window_close(demo_mesh *mesh);

/* rasterizer.c: blend the mesh over `pixels`, rows of RGBA bytes from the top. */
void raster_draw(const demo_mesh *mesh, uint8_t *pixels, int width, int height);

#ifdef __cplusplus
}
#endif

#endif
