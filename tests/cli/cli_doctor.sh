# cli_doctor.sh - `kiln doctor`: a line for each thing that is needed.
. "$(dirname "$0")/cli_lib.sh"

kiln 0 doctor
for what in compiler 'compiler headers' 'C headers' 'C++ headers' 'linking C' 'linking C++' loading cache machine; do
    prints_part "ok       $what"
done
kiln 0 cache stats --json
json /entries 0

# Each problem is found and named, with what to do.
kiln 1 doctor --compiler /nonexistent/kiln-compiler
prints_part "problem  compiler"
prints_part "/nonexistent/kiln-compiler"
grep -q 'apt-get' "$out" && fail "$what: names a package for a compiler that is nowhere"
mkdir "$scratch/shared" && chmod 777 "$scratch/shared"
kiln 1 doctor --cache-dir "$scratch/shared"
prints_part "problem  cache"
: >"$scratch/file"
kiln 1 doctor --cache-dir "$scratch/file"
prints_part "problem  cache"
KILN_NO_CACHE=1 kiln 0 doctor
# Without /proc, the message is about /proc and not about packages.
if unshare --mount true 2>/dev/null; then
    check 1 unshare --mount sh -c 'mount -t tmpfs none /proc && exec "$0" doctor' "$KILN"
    prints_part "problem  /proc"
    grep -q 'apt-get' "$out" && fail "$what: names a package though /proc is what is missing"
fi

# Missing headers are told with the package that has them. hidden FOLDER: a doctor for whom it is empty.
mkdir "$scratch/empty"
hidden()
{
    check 1 unshare --mount sh -c 'mount --bind "$1" "$2" && exec "$3" doctor' sh "$scratch/empty" "$1" "$KILN"
}
unshare --mount mount --bind "$scratch/empty" /usr/include 2>/dev/null || skip "mounting is not allowed: no header can be hidden"
# Each is told of alone, though the headers of one include those of the others.
only()
{
    [ "$(grep -c '^problem  [^ ]* headers' "$out")" = 1 ] || fail "$what: tells of more headers than are missing"
}
resources=/usr/lib/llvm-22/lib/clang/22/include
if [ -e $resources/stddef.h ]; then
    hidden $resources
    prints_part "problem  compiler headers  'stddef.h' file not found"
    prints_part "apt-get install libclang-common-"
    prints_part "ok       C headers"
    prints_part "ok       C++ headers"
    only
fi
hidden /usr/include
prints_part "problem  C headers         'stdio.h' file not found"
prints_part "ok       compiler headers"
prints_part "apt-get install libc6-dev"
hidden /usr/include/c++
prints_part "ok       C headers"
prints_part "problem  C++ headers       'vector' file not found"
only
grep -qE 'apt-get install libstdc\+\+-[0-9]+-dev' "$out" || fail "$what: does not name the package of the C++ headers"
finish
