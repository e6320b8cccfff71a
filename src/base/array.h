/* array.h - growth of plain C arrays.
 *
 * An array is a pointer, a count and a capacity in its owner's struct; these functions only see to
 * the room. */
#ifndef KILN_BASE_ARRAY_H
#define KILN_BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/* Make room for `needed` items in all. false when out of memory: the array is as it was. */
bool array_reserve(void **items, size_t *capacity, size_t needed, size_t item_size);

/* The address of a new, zeroed last item, or NULL when out of memory. The caller increments
 * nothing. */
void *array_add(void **items, size_t *count, size_t *capacity, size_t item_size);

#endif
