#include <stdio.h>

int from_object(void);
int from_archive(void);
int from_bitcode(void);
int from_ir(void);
int from_shared(void);

int run(void)
{
    printf("%d %d %d %d %d\n", from_object(), from_archive(), from_bitcode(), from_ir(),
           from_shared());
    return 0;
}
