#!/usr/bin/env -S kiln run
//kiln: -DFROM_COMMENT=3 "-DWITH_BLANK=\"a b\"" -include extra.h
/* A first line that begins with #! is blanked, lines keep their numbers, and the comment after it carries arguments. */
#include <stdio.h>

int run(void)
{
    printf("%d %s %d line %d\n", FROM_COMMENT, WITH_BLANK, FROM_EXTRA, __LINE__);
    return 0;
}
