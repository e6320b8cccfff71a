# cli_cache.sh - `kiln cache` and `kiln why`.
. "$(dirname "$0")/cli_lib.sh"

echo '#include "value.h"
int f(void) { return VALUE; }' >lib.c
echo '#define VALUE 1' >value.h
kiln 1 why
says_part "kiln: error: "

kiln 0 load lib.c
kiln 0 cache stats --json
json /directory "$KILN_CACHE_DIR"
[ "$("$JSON_GET" /entries <"$out")" -ge 1 ] || fail "the cache has no entry"
[ "$("$JSON_GET" /bytes <"$out")" -ge 1 ] || fail "the cache has no bytes"
json /in_use 0
kiln 0 cache stats
prints_part "directory  $KILN_CACHE_DIR"
prints_part "entries    "
kiln 0 cache list
prints_part "  lib"
kiln 0 cache list --json
json_type /entries array
json_type /entries/0/key string
json_type /entries/0/last_used_unix int

# Why a load was a miss: the input that changed is named.
kiln 0 load lib.c
echo '#define VALUE 2' >value.h
kiln 0 load lib.c
kiln 0 why
prints_part "value.h"
kiln 0 why lib.c
prints_part "value.h"
kiln 0 why lib
prints_part "value.h"
kiln 1 why other
says "kiln: error: no miss of 'other' is recorded in this cache"
# Nobody need still have the file.
mv lib.c elsewhere
kiln 0 why lib.c
prints_part "value.h"
kiln 0 why ./lib.c
prints_part "value.h"
kiln 1 why other.c
says "kiln: error: no miss of 'other.c' is recorded in this cache"
mv elsewhere lib.c

# An argument, a source, a variable is named as well.
because()
{
    prints "flags was not in the cache:
$1"
}
echo 'int g(void) { return 1; }' >flags.c
echo 'int h(void) { return 2; }' >more.c
echo 'int i(void) { return 3; }' >third.c
kiln 0 load flags.c
kiln 0 load -O1 flags.c
prints_part "cache     miss: argument -O1 is new"
kiln 0 why
because "argument -O1 is new"
kiln 0 load --json -O3 -I . flags.c
json /miss_reason "argument -O3 is new
argument -I . is new
argument -O1 is gone"
kiln 0 why flags.c
because "argument -O3 is new
argument -I . is new
argument -O1 is gone"
kiln 0 load -v -DA -DB flags.c
says_part "kiln: flags: not in the cache: argument -DA is new; argument -DB is new; argument -O3 is gone; argument -I"
prints_part "cache     miss: argument -DA is new; argument -DB is new; "
kiln 0 load -DB -DA flags.c
kiln 0 why
because "argument -DA comes in another order"
kiln 0 load -DB -DA flags.c more.c
kiln 0 why
because "C source more.c is new"
# That more sources are compiled in fewer pieces each is no reason of its own.
kiln 0 load -DB -DA flags.c more.c third.c
kiln 0 why
because "C source third.c is new"
kiln 0 load -DB -DA -x c++ flags.c more.c third.c
kiln 0 why
because "forced language c++ is new
C++ source flags.c is new
C++ source more.c is new
C++ source third.c is new
C source flags.c is gone
C source more.c is gone
C source third.c is gone"
CPATH=/nowhere kiln 0 load -DB -DA -x c++ flags.c more.c third.c
kiln 0 why
because "environment variable CPATH is new"
# What an older cache knows is not guessed at.
echo 'nonsense' >"$KILN_CACHE_DIR/reasons/flags.key"
kiln 0 load -O1 -g flags.c
kiln 0 why
because "what it was built of before is not known"

# Damage is found, reported, removed; the next load is right.
kiln 0 cache verify
prints_part "removed 0"
image=$(kiln 0 load --json lib.c; "$JSON_GET" /image <"$out")
chmod u+w "$image"
printf 'x' | dd of="$image" bs=1 seek=300 conv=notrunc 2>/dev/null
kiln 1 cache verify
prints_part "removed 1"
kiln 0 load lib.c

# gc keeps what fits, and takes all where nothing does.
kiln 0 cache gc
prints_part "removed 0 entries"
# Nothing is no size: who wants that has a word for it.
for option in --max-size --max-age; do
    kiln 125 cache gc $option 0
    says "kiln: error: $option 0 would keep nothing; to remove everything: kiln cache clear"
done
kiln 0 cache gc --max-size 1 --max-age 1d
kiln 0 cache stats --json
json /entries 0
kiln 0 load lib.c
kiln 0 cache clear
kiln 0 cache stats --json
json /entries 0
kiln 0 load --json lib.c
json /hit false

# Another directory; no cache at all.
kiln 0 cache stats --json --cache-dir "$scratch/other"
json /directory "$scratch/other"
mkdir here
cd here
kiln 125 load --cache-dir= ../lib.c
says "kiln: error: --cache-dir takes a directory, not ''"
kiln 125 load --cache-dir '' ../lib.c
says "kiln: error: --cache-dir takes a directory, not ''"
cd ..
[ -z "$(ls -A here)" ] || fail "an empty name of the cache made one in the current directory"
KILN_NO_CACHE=1 kiln 125 cache stats
says_part "there is no cache"

# What a program has loaded stays.
cat >waits.c <<'END'
#include <stdio.h>
int main(void)
{
    puts("ready");
    fflush(stdout);
    getchar();
    return 0;
}
END
mkfifo to from
"$KILN" run waits.c <to >from &
exec 8>to 9<from
read -r word <&9
kiln 0 cache clear
kiln 0 cache stats --json
json /in_use 1
json /entries 1
exec 8>&- 9<&-
wait
kiln 0 cache clear
kiln 0 cache stats --json
json /entries 0
finish
