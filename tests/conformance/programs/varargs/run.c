/* Variable arguments: more than fit in registers, of all classes, copied, passed on, structs by
 * value. */
#include <stdarg.h>
#include <stdio.h>

struct small {
    int a;
    double b;
};
struct large {
    long a[5];
};

static double mixed(int count, ...)
{
    va_list list, copy;
    double total = 0;
    va_start(list, count);
    va_copy(copy, list);
    for (int i = 0; i < count; i++)
        total += va_arg(list, int) + va_arg(list, double);
    for (int i = 0; i < count; i++)
        total += 100 * (va_arg(copy, int) + va_arg(copy, double));
    va_end(copy);
    va_end(list);
    return total;
}

static void structs(int dummy, ...)
{
    va_list list;
    va_start(list, dummy);
    struct small s = va_arg(list, struct small);
    struct large l = va_arg(list, struct large);
    long double d = va_arg(list, long double);
    printf("%d %.1f %ld %.2Lf %s\n", s.a, s.b, l.a[4], d, va_arg(list, const char *));
    va_end(list);
}

static int pass_on(char *buffer, size_t size, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int length = vsnprintf(buffer, size, format, list);
    va_end(list);
    return length;
}

int run(void)
{
    char buffer[64];
    printf("%.1f\n", mixed(12, 1, .5, 2, .5, 3, .5, 4, .5, 5, .5, 6, .5, 7, .5, 8, .5, 9, .5, 10,
                           .5, 11, .5, 12, .5));
    structs(0, (struct small){1, 2.5}, (struct large){{1, 2, 3, 4, 5}}, 6.25L, "text");
    int length = pass_on(buffer, sizeof buffer, "%s-%d-%c-%g", "a", 1, 'z', 2.5);
    printf("%s %d\n", buffer, length);
    return 0;
}
