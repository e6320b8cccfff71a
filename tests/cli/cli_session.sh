# cli_session.sh - options that choose how a session loads and compiles: --auto-load, --memory-limit, --time-limit,
# --jobs, --trust-system-headers.
. "$(dirname "$0")/cli_lib.sh"

# ---- limits: of one compilation; the next one finds the machine as it was ----

echo 'int main(void) { return 4; }' >good.c
cat >memory.cpp <<'END_OF_SOURCE'
template <unsigned long N> struct A { enum { v = A<N + 1>::v + 1 }; };
int a = A<0>::v;
int main() { return 0; }
END_OF_SOURCE
kiln 125 run --memory-limit 1G -ftemplate-depth=100000000 memory.cpp
says_part "'memory.cpp' needs more memory than the limit allows"
says_part "--memory-limit"
kiln 125 load --json --memory-limit 1G -ftemplate-depth=100000000 memory.cpp
json /error/status KILN_LIMIT
kiln 4 run --memory-limit 2G good.c
# A hit compiles nothing, so no limit can hurt it.
kiln 4 run --memory-limit 1M good.c
kiln 125 run --memory-limit 1M --no-cache good.c
says_part "--memory-limit"
kiln 125 run --memory-limit plenty good.c
says_part "--memory-limit takes a size such as 512M or 2G, not 'plenty'"

cat >time.cpp <<'END_OF_SOURCE'
constexpr int f() { int n = 0; for (;;) n ^= 1; return n; }
constexpr int x = f();
int main() { return 0; }
END_OF_SOURCE
kiln 125 load --json --time-limit 1s -std=c++20 -fconstexpr-steps=4294967295 time.cpp
json /error/status KILN_LIMIT
says_part "time.cpp"
for option in --time-limit --memory-limit --jobs; do
    kiln 125 run $option 0 good.c
    says_part "$option: '0' is out of range"
done
kiln 4 run --no-cache --jobs 1 --time-limit 5m good.c
for jobs in abc 0 -1 1x 99999; do
    KILN_JOBS=$jobs kiln 125 run good.c
    says "kiln: error: KILN_JOBS is '$jobs': set it to a number from 1 to 4095"
    # What the option says is not asked of the environment.
    KILN_JOBS=$jobs kiln 4 run --jobs 1 good.c
done
KILN_JOBS='' kiln 4 run good.c
KILN_JOBS=2 kiln 4 run --no-cache good.c

# ---- trust in system headers ----

printf '#include <stdio.h>\n#include "value.h"\nint main(void) { return VALUE; }\n' >headers.c
echo '#define VALUE 5' >value.h
kiln 5 run --trust-system-headers headers.c
kiln 0 load --json --trust-system-headers headers.c
json /hit true
# It is a way of looking, and no part of what was built.
kiln 0 load --json headers.c
json /hit true
# One's own headers are looked at as ever.
echo '#define VALUE 6' >value.h
kiln 6 run --trust-system-headers headers.c
kiln 0 why headers.c
prints_part "value.h"

# ---- a missing symbol ----

cat >checksum.c <<'END_OF_SOURCE'
unsigned long crc32(unsigned long, const unsigned char *, unsigned);
int main(void) { return crc32(0, (const unsigned char *)"kiln", 4) == 0xe9273745 ? 7 : 1; }
END_OF_SOURCE
is_there=
for library in /lib/*/libz.so.1 /usr/lib/*/libz.so.1; do
    [ ! -e "$library" ] || is_there=$library
done
if [ -n "$is_there" ]; then
    kiln 125 load --json checksum.c
    json /error/status KILN_BIND
    json /error/missing_symbols/0/name crc32
    [ -e "$("$JSON_GET" /error/missing_symbols/0/provider <"$out")" ] || fail "$what: no installed library is named"
    kiln 7 run --auto-load checksum.c
    kiln 7 run --auto-load --no-cache checksum.c
    quiet
    kiln 7 run -v --auto-load checksum.c
    grep -qE "^kiln: checksum: loaded '[^']*libz[^']*', which defines" "$err" || fail "$what: does not say what was loaded"
    # The image is the same, so without the option it is still not bound.
    kiln 125 run checksum.c
    says_part "crc32"
fi
# What nobody defines stays an error.
echo 'int nobody_has_this(void); int main(void) { return nobody_has_this(); }' >lost.c
kiln 125 run --auto-load lost.c
says_part "nobody_has_this"

# ---- what may have to be skipped, last, so that all else is checked before ----

[ -n "$is_there" ] || skip "there is no libz.so.1 whose symbol could be missing"
strace -o trace true 2>/dev/null || skip "strace cannot be used to see which headers are looked at"
# looked_at OPTION: whether a hit looks at /usr/include/stdio.h.
looked_at()
{
    check 6 strace -f -e trace=%file -o trace "$KILN" run "$@" headers.c
    grep -q '[/"]value\.h"' trace || fail "$what: does not look at value.h"
    grep -q '[/"]stdio\.h"' trace
}
looked_at || fail "$what: does not look at stdio.h"
looked_at --trust-system-headers && fail "$what: looks at stdio.h"
finish
