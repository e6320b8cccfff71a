# cli_install.sh - an installation in a prefix of its own: the command runs from there, also after it was moved, and
# pkg-config and find_package lead a program of somebody else to it.
. "$(dirname "$0")/cli_lib.sh"

grep -q '^KILN_COMPILER_PROGRAM:[A-Z]*=.' "$BUILD/CMakeCache.txt" && skip "this build uses a compiler that it does not install"
check 0 cmake --install "$BUILD" --prefix "$scratch/first"
mv "$scratch/first" "$scratch/prefix"
prefix=$scratch/prefix
unset LD_LIBRARY_PATH KILN_COMPILER

cp "$EXAMPLES/embed.c" "$EXAMPLES/add.c" .
echo 'int main(void) { return 7; }' >seven.c
check 7 "$prefix/bin/kiln" run seven.c
for page in "$MANUAL"/*.1; do
    [ -f "$prefix/share/man/man1/$(basename "$page")" ] || fail "$page is not installed"
done

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name kiln.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046  # flags are words
check 0 cc embed.c -o by-pkg-config $(pkg-config --cflags --libs kiln) -Wl,-rpath,"$(pkg-config --variable=libdir kiln)"
check 0 ./by-pkg-config
prints '2 + 3 = 5'

cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(user C)
find_package(kiln 0.1 REQUIRED)
add_executable(by-find-package embed.c)
target_link_libraries(by-find-package PRIVATE kiln::kiln)
END
check 0 cmake -G Ninja -S . -B user -DCMAKE_PREFIX_PATH="$prefix"
check 0 cmake --build user
check 0 user/by-find-package
prints '2 + 3 = 5'
finish
