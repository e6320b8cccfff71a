# OpenMP needs libomp-22-dev.
echo '#include <omp.h>' | clang-22 -fopenmp -x c -shared -fPIC -o /dev/null - || {
    echo "clang-22 has no OpenMP here"
    exit 1
}
