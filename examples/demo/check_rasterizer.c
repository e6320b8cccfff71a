/* check_rasterizer.c - the rasterizer against pictures that can be told without drawing: coverage, clipping, texture, blending.
 *
 * Linked with rasterizer.c ahead of time; exits with status 1 at the first picture that is wrong. */
#include "demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 32 };

static const uint32_t white_texel[1] = {0xffffffff};
static uint8_t pixels[SIZE * SIZE * 4];

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    printf("wrong: %s\n", what);
    exit(1);
}

static const uint8_t *at(int x, int y)
{
    return pixels + 4 * (y * SIZE + x);
}

static demo_vertex vertex(float x, float y, float u, float v, uint32_t rgba)
{
    return (demo_vertex){x, y, u, v, rgba};
}

/* Draws indexed triangles over black, inside a clip rectangle. */
static void draw(demo_vertex *vertices, size_t vertex_count, uint32_t *indices, size_t index_count,
                 demo_command clip, const uint32_t *texture, int texture_width, int texture_height)
{
    clip.index_offset = 0, clip.index_count = (uint32_t)index_count;
    demo_mesh mesh = {vertices, indices, &clip,         vertex_count,  index_count,
                      1,        texture, texture_width, texture_height};

    memset(pixels, 0, sizeof pixels);
    raster_draw(&mesh, pixels, SIZE, SIZE);
}

static const demo_command no_clip = {0, 0, SIZE, SIZE, 0, 0};

/* A fan of half-transparent triangles, both windings, around a corner that lies on a pixel's centre: each pixel of the
 * square is covered once, so all are half as bright and nothing outside is touched. */
static void check_coverage(void)
{
    const uint32_t half = 0x80ffffff;
    demo_vertex vertices[] = {vertex(4, 4, 0, 0, half), vertex(28, 4, 0, 0, half),
                              vertex(28, 28, 0, 0, half), vertex(4, 28, 0, 0, half),
                              vertex(13.5f, 17.5f, 0, 0, half)};
    uint32_t indices[] = {4, 0, 1, 4, 2, 1, 4, 2, 3, 4, 0, 3};

    draw(vertices, 5, indices, 12, no_clip, white_texel, 1, 1);
    for (int y = 0; y < SIZE; y++) {
        for (int x = 0; x < SIZE; x++) {
            bool is_inside = x >= 4 && x < 28 && y >= 4 && y < 28;
            require(at(x, y)[0] == (is_inside ? 128 : 0), "a pixel is covered not once");
        }
    }
}

static void check_clip(void)
{
    demo_vertex vertices[] = {vertex(-100, -100, 0, 0, 0xff0000ff),
                              vertex(200, -100, 0, 0, 0xff0000ff),
                              vertex(-100, 200, 0, 0, 0xff0000ff)};
    uint32_t indices[] = {0, 1, 2};

    draw(vertices, 3, indices, 3, (demo_command){3, 5, 9, 40, 0, 0}, white_texel, 1, 1);
    for (int y = 0; y < SIZE; y++) {
        for (int x = 0; x < SIZE; x++)
            require(at(x, y)[0] == (x >= 3 && x < 9 && y >= 5 ? 255 : 0), "clipping");
    }
}

/* A texture of two by one texels over two by one pixels, and one in between. */
static void check_texture(void)
{
    static const uint32_t texture[2] = {0xff0000ff, 0xff00ff00};
    demo_vertex vertices[] = {vertex(0, 0, 0, 0, 0xffffffff), vertex(2, 0, 1, 0, 0xffffffff),
                              vertex(2, 1, 1, 1, 0xffffffff), vertex(0, 1, 0, 1, 0xffffffff)};
    uint32_t indices[] = {0, 1, 2, 0, 2, 3};

    draw(vertices, 4, indices, 6, no_clip, texture, 2, 1);
    require(at(0, 0)[0] == 255 && at(0, 0)[1] == 0 && at(1, 0)[0] == 0 && at(1, 0)[1] == 255,
            "texels on pixels");

    vertices[0].x = vertices[3].x = 0.5f, vertices[1].x = vertices[2].x = 2.5f;
    draw(vertices, 4, indices, 6, no_clip, texture, 2, 1);
    require(at(1, 0)[0] == 128 && at(1, 0)[1] == 128, "between two texels");
}

/* Red falls from left to right; the texture's alpha halves it again. */
static void check_colors(void)
{
    static const uint32_t half_texel[1] = {0x80ffffff};
    demo_vertex vertices[] = {vertex(0, 0, 0, 0, 0xff0000ff), vertex(32, 0, 0, 0, 0xff000000),
                              vertex(32, 32, 0, 0, 0xff000000), vertex(0, 32, 0, 0, 0xff0000ff)};
    uint32_t indices[] = {0, 1, 2, 0, 2, 3};

    draw(vertices, 4, indices, 6, no_clip, half_texel, 1, 1);
    require(abs(at(0, 16)[0] - 126) <= 1 && abs(at(16, 9)[0] - 62) <= 1 && at(31, 3)[0] <= 3,
            "interpolated colours");
}

int main(void)
{
    check_coverage();
    check_clip();
    check_texture();
    check_colors();
    puts("the rasterizer draws as it should");
    return 0;
}
