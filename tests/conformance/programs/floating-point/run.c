//kiln: -lm
/* long double, float rounding modes, NaN, libm, _Float16 conversion helpers of the run-time
 * library, __float128. */
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#pragma STDC FENV_ACCESS ON

int run(void)
{
    volatile long double tenth = 0.1L, x = 2;
    volatile double one = 1, three = 3, nothing = 0;
    volatile float f = 1.5f;
    volatile _Float16 half = (_Float16)f;
    volatile __float128 quad = 1;
    printf("%d digits, %.20Lf\n", LDBL_DIG, tenth);
    printf("%.15Lf %.15Lf %.10f\n", sqrtl(x), powl(x, 0.5L), tgamma(5));
    fesetround(FE_UPWARD);
    double up = one / three;
    fesetround(FE_DOWNWARD);
    double down = one / three;
    fesetround(FE_TONEAREST);
    printf("%d %d %d\n", up > down, isnan(nothing / nothing) != 0, isinf(one / nothing) != 0);
    printf("%g %g\n", (double)(half * half), (double)(quad / 3));
    printf("%.17g %a\n", strtod("0.1", NULL), 0.5);
    return 0;
}
