/* measure.c - see measure.h. */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double measure_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

long measure_pss_kib(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    long kib = -1;

    if (!file)
        return -1;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "Pss: %ld kB", &kib) == 1)
            break;
    }
    fclose(file);
    return kib;
}

void measure_print(double seconds, unsigned long input_count, const char *hit)
{
    /* Read before printing: standard output's buffer is no part of the load. */
    long pss_kib = measure_pss_kib();

    printf("%.9f %lu %s %ld\n", seconds, input_count, hit, pss_kib);
}

void measure_fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(125);
}
