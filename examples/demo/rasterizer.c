/* rasterizer.c - the demo's graphics card: textured, clipped, blended triangles in software.
 *
 * Corners are snapped to 1/256 pixel and edges follow the top-left rule, so triangles that share an
 * edge cover each pixel exactly once: with blending, a pixel drawn twice would show as a seam.
 * Colours and texture coordinates are interpolated linearly, the texture is sampled bilinearly. One
 * thread; no state. */
#include "demo.h"

#include <math.h>
#include <string.h>

#define SUBPIXEL_BITS 8
#define SUBPIXEL (1 << SUBPIXEL_BITS)

typedef struct point {
    int64_t x, y; /* in 1/SUBPIXEL pixels */
} point;

typedef struct rectangle {
    int left, top, right, bottom; /* pixels; right and bottom exclusive */
} rectangle;

typedef struct color {
    float channel[4]; /* red, green, blue, alpha; 0..255 */
} color;

static color unpack(uint32_t rgba)
{
    return (color){{(float)(rgba & 255), (float)(rgba >> 8 & 255), (float)(rgba >> 16 & 255),
                    (float)(rgba >> 24)}};
}

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

static point snap(const demo_vertex *vertex)
{
    return (point){llroundf(vertex->x * SUBPIXEL), llroundf(vertex->y * SUBPIXEL)};
}

/* Twice the signed area of a, b, c; positive where c is on the right of a -> b, with y downwards.
 */
static int64_t edge(point a, point b, point c)
{
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

/* A centre that lies exactly on an edge belongs to the triangle whose top or left edge it is. */
static int64_t edge_bias(point a, point b)
{
    bool is_top = a.y == b.y && b.x > a.x;
    bool is_left = b.y < a.y;
    return is_top || is_left ? 0 : -1;
}

static color sample(const demo_mesh *mesh, float u, float v)
{
    float x = u * (float)mesh->texture_width - 0.5f, y = v * (float)mesh->texture_height - 0.5f;
    float left = floorf(x), top = floorf(y);
    float right_weight = x - left, bottom_weight = y - top;
    color result = {{0}};

    for (int corner = 0; corner < 4; corner++) {
        int column = clamp((int)left + (corner & 1), 0, mesh->texture_width - 1);
        int row = clamp((int)top + (corner >> 1), 0, mesh->texture_height - 1);
        float weight = (corner & 1 ? right_weight : 1 - right_weight) *
                       (corner >> 1 ? bottom_weight : 1 - bottom_weight);
        color texel =
            unpack(mesh->texture[(size_t)row * (size_t)mesh->texture_width + (size_t)column]);
        for (int i = 0; i < 4; i++)
            result.channel[i] += weight * texel.channel[i];
    }
    return result;
}

/* source over destination, whose alpha stays: the picture is opaque. */
static void blend(uint8_t *pixel, const color *source)
{
    float alpha = source->channel[3] / 255;

    for (int i = 0; i < 3; i++)
        pixel[i] = (uint8_t)(source->channel[i] * alpha + (float)pixel[i] * (1 - alpha) + 0.5f);
}

static void shade(const demo_mesh *mesh, const demo_vertex *const corner[3], const float weight[3],
                  uint8_t *pixel)
{
    float u = 0, v = 0;
    color result = {{0}};

    for (int k = 0; k < 3; k++) {
        color own = unpack(corner[k]->rgba);
        u += weight[k] * corner[k]->u;
        v += weight[k] * corner[k]->v;
        for (int i = 0; i < 4; i++)
            result.channel[i] += weight[k] * own.channel[i];
    }
    color texel = sample(mesh, u, v);
    for (int i = 0; i < 4; i++)
        result.channel[i] *= texel.channel[i] / 255;
    blend(pixel, &result);
}

/* The pixels whose centres can lie inside the triangle, cut to the clip rectangle. */
static rectangle bounds(const point p[3], rectangle clip)
{
    int64_t left = p[0].x, right = p[0].x, top = p[0].y, bottom = p[0].y;

    for (int k = 1; k < 3; k++) {
        left = p[k].x < left ? p[k].x : left;
        right = p[k].x > right ? p[k].x : right;
        top = p[k].y < top ? p[k].y : top;
        bottom = p[k].y > bottom ? p[k].y : bottom;
    }
    left >>= SUBPIXEL_BITS, top >>= SUBPIXEL_BITS;
    right = (right >> SUBPIXEL_BITS) + 1, bottom = (bottom >> SUBPIXEL_BITS) + 1;
    return (rectangle){left > clip.left ? (int)left : clip.left,
                       top > clip.top ? (int)top : clip.top,
                       right < clip.right ? (int)right : clip.right,
                       bottom < clip.bottom ? (int)bottom : clip.bottom};
}

static void draw_triangle(const demo_mesh *mesh, const uint32_t index[3], rectangle clip,
                          uint8_t *pixels, int width)
{
    const demo_vertex *corner[3];
    point p[3];

    for (int k = 0; k < 3; k++) {
        corner[k] = &mesh->vertices[index[k]];
        p[k] = snap(corner[k]);
    }
    int64_t area = edge(p[0], p[1], p[2]);
    if (area == 0)
        return;
    /* Both windings are drawn: turn the other one round. */
    if (area < 0) {
        const demo_vertex *second = corner[1];
        point second_point = p[1];
        corner[1] = corner[2], corner[2] = second;
        p[1] = p[2], p[2] = second_point;
        area = -area;
    }
    rectangle box = bounds(p, clip);
    for (int y = box.top; y < box.bottom; y++) {
        for (int x = box.left; x < box.right; x++) {
            point center = {(int64_t)x * SUBPIXEL + SUBPIXEL / 2,
                            (int64_t)y * SUBPIXEL + SUBPIXEL / 2};
            float weight[3];
            bool is_inside = true;
            for (int k = 0; k < 3; k++) {
                point from = p[(k + 1) % 3], to = p[(k + 2) % 3];
                int64_t value = edge(from, to, center);
                is_inside = is_inside && value + edge_bias(from, to) >= 0;
                weight[k] = (float)value / (float)area;
            }
            if (is_inside)
                shade(mesh, corner, weight, pixels + 4 * ((size_t)y * (size_t)width + (size_t)x));
        }
    }
}

void raster_draw(const demo_mesh *mesh, uint8_t *pixels, int width, int height)
{
    for (size_t i = 0; i < mesh->command_count; i++) {
        const demo_command *command = &mesh->commands[i];
        rectangle clip = {
            clamp((int)command->clip_left, 0, width), clamp((int)command->clip_top, 0, height),
            clamp((int)command->clip_right, 0, width), clamp((int)command->clip_bottom, 0, height)};
        const uint32_t *index = mesh->indices + command->index_offset;
        for (uint32_t k = 0; k + 3 <= command->index_count; k += 3)
            draw_triangle(mesh, index + k, clip, pixels, width);
    }
}
