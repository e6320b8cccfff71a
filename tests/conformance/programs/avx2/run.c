//kiln: -mavx2 -mfma
/* Intrinsics of AVX2 and FMA. */
#include <immintrin.h>
#include <stdio.h>

int run(void)
{
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return 77;
    int result[8];
    float floats[8];
    __m256i a = _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 8);
    __m256i b = _mm256_set1_epi32(10);
    _mm256_storeu_si256((__m256i *)result,
                        _mm256_permutevar8x32_epi32(_mm256_mullo_epi32(a, b),
                                                    _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0)));
    for (int i = 0; i < 8; i++)
        printf("%d ", result[i]);
    _mm256_storeu_ps(
        floats, _mm256_fmadd_ps(_mm256_cvtepi32_ps(a), _mm256_set1_ps(2), _mm256_set1_ps(0.5f)));
    printf("%.1f %.1f\n", floats[0], floats[7]);
    return 0;
}
