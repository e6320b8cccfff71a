/* Arrays made of sections over several units (__start_, __stop_), hidden and protected visibility,
 * used and retained data. */
#include "sections.h"
#include <stdio.h>
#include <string.h>

REGISTER(gamma);
REGISTER(delta);

__attribute__((visibility("hidden"))) int hidden_value = 1;
__attribute__((visibility("protected"))) int protected_value = 2;
int hidden_from_other(void);

int run(void)
{
    int count = 0;
    size_t letters = 0;
    for (const char *const *entry = __start_registered; entry != __stop_registered;
         entry++, count++)
        letters += strlen(*entry);
    printf("%d entries, %zu letters\n", count, letters);
    printf("%d\n", hidden_from_other());
    return 0;
}
