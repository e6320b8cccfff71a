//kiln: -lm
/* Complex arithmetic: multiplication and division come from the compiler's run-time library,
 * functions from libm. */
#include <complex.h>
#include <stdio.h>

int run(void)
{
    volatile double _Complex a = 3 + 4 * I, b = 1 - 2 * I;
    volatile float _Complex f = 1 + 2 * I;
    volatile long double _Complex l = 5 + 12 * I;
    double _Complex product = a * b, quotient = a / b;
    printf("%.1f%+.1fi\n", creal(product), cimag(product));
    printf("%.1f%+.1fi\n", creal(quotient), cimag(quotient));
    printf("%.1f %.4f\n", cabs(a), carg(a));
    printf("%.1f%+.1fi\n", crealf(f * f), cimagf(f * f));
    printf("%.1Lf\n", cabsl(l));
    printf("%.1Lf%+.1Lfi\n", creall(l / l), cimagl(l * l));
    return 0;
}
