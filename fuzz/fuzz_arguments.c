/* fuzz_arguments.c - any words as Clang's arguments: which are refused, how many go with each, what
 * becomes of paths; and what is left when the refused ones are dropped. Words end with a NUL. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "build/arguments.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void add_words(string_list *list, const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size && list->count < 100;) {
        size_t length = strnlen((const char *)bytes + at, size - at);
        bool done = string_list_add_bytes(list, bytes + at, length);
        assert(done);
        (void)done;
        at += length + 1;
    }
}

/* As an imported command line is treated. */
static void drop_refused(string_list *list)
{
    const char *reason = NULL;
    size_t taken = 0;
    long at;
    while ((at = arguments_find_refused(string_list_view(list), &reason, &taken)) >= 0) {
        assert(reason && *reason);
        assert(taken >= 1 && (size_t)at + taken <= list->count);
        for (size_t i = 0; i < taken; i++)
            free(list->items[(size_t)at + i]);
        memmove(list->items + at, list->items + at + taken,
                (list->count - (size_t)at - taken + 1) * sizeof *list->items);
        list->count -= taken;
    }
}

/* One word for each. */
static void make_absolute(const string_list *list)
{
    string_list made = {0};
    for (size_t i = 0; i < list->count; i++) {
        const char *previous = i ? list->items[i - 1] : NULL;
        bool done = arguments_add_absolute(&made, previous, list->items[i], "/no-such-directory");
        assert(done && made.count == i + 1);
        (void)done;
    }
    string_list_destroy(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    string_list list = {0};
    add_words(&list, bytes, size);
    arguments_are_native(&list);
    make_absolute(&list);
    drop_refused(&list);
    string_list_destroy(&list);
    return 0;
}
