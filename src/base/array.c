/* array.c - growth of plain C arrays: see array.h. */
#include "base/array.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool array_reserve(void **items, size_t *capacity, size_t needed, size_t item_size)
{
    assert(item_size > 0);
    if (needed <= *capacity)
        return true;
    size_t larger = *capacity < 8 ? 8 : *capacity;
    while (larger < needed)
        larger = larger > SIZE_MAX / 2 ? needed : larger * 2;
    if (larger > SIZE_MAX / item_size)
        return false;
    void *moved = realloc(*items, larger * item_size);
    if (!moved)
        return false;
    *items = moved;
    *capacity = larger;
    return true;
}

void *array_add(void **items, size_t *count, size_t *capacity, size_t item_size)
{
    if (!array_reserve(items, capacity, *count + 1, item_size))
        return NULL;
    return memset((char *)*items + item_size * (*count)++, 0, item_size);
}
