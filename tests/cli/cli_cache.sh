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
