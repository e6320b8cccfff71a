/* measure.h - the clock and the memory of the benchmark programs.
 *
 * Each program prints one line a sample; bench/run gathers them, bench/report makes medians of
 * them. Nothing here knows libkiln, so that the programs which stand for life without Kiln carry
 * nothing of it. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

/* Seconds on a steady clock. */
double measure_now(void);

/* The process's proportional set size in KiB; -1 where the kernel does not tell. */
long measure_pss_kib(void);

/* Print "SECONDS INPUTS HIT PSS", the line of the programs that load one library. */
void measure_print(double seconds, unsigned long input_count, const char *hit);

/* Say what went wrong and end the program with status 125. */
_Noreturn void measure_fail(const char *what, const char *why);

#endif
