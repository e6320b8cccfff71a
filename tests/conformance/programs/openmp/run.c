//kiln: -fopenmp
/* OpenMP: a reduction, thread ids, threadprivate. */
#include <omp.h>
#include <stdio.h>

static int private_counter;
#pragma omp threadprivate(private_counter)

int run(void)
{
    long total = 0;
    int threads = 0;
    omp_set_num_threads(4);
#pragma omp parallel for reduction(+ : total)
    for (int i = 1; i <= 100000; i++)
        total += i;
#pragma omp parallel
    {
        private_counter++;
#pragma omp critical
        threads += private_counter;
    }
    printf("%ld %d\n", total, threads);
    return 0;
}
