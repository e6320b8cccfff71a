/* Functions handed to libc (qsort, bsearch, qsort_r), static tables of function pointers, and
 * pointers to data in constants. */
#define _GNU_SOURCE
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_factor(const void *a, const void *b, void *factor)
{
    return (*(const int *)a - *(const int *)b) * *(int *)factor;
}

static double add(double a, double b)
{
    return a + b;
}
static double subtract(double a, double b)
{
    return a - b;
}
static double multiply(double a, double b)
{
    return a * b;
}

static const struct operation {
    const char *name;
    double (*apply)(double, double);
} operations[] = {{"add", add}, {"subtract", subtract}, {"multiply", multiply}};

static int values[] = {5, 3, 9};
static int *const end_of_values = &values[3];
static const char *const *const nested = (const char *const[]){"x", "y"};

int run(void)
{
    const char *words[] = {"pear", "apple", "fig", "quince"};
    const char *key = "fig";
    qsort(words, 4, sizeof *words, ascending);
    const char **found = bsearch(&key, words, 4, sizeof *words, ascending);
    printf("%s %s %s %s, found %td\n", words[0], words[1], words[2], words[3], found - words);
    qsort_r(values, 3, sizeof *values, by_factor, &(int){-1});
    printf("%d %d %d %s\n", values[0], values[1], end_of_values[-1], nested[1]);
    for (size_t i = 0; i < 3; i++)
        printf("%s %g\n", operations[i].name, operations[i].apply(6, 7));
    return 0;
}
