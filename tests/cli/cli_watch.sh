# cli_watch.sh - `kiln run --watch` and `kiln watch`: edits of what runs, and what is said of them.
. "$(dirname "$0")/cli_lib.sh"

# await FILE TEXT: until a file holds it, or patience is at its end.
await()
{
    tries=0
    until grep -qF -e "$2" "$1"; do
        tries=$((tries + 1))
        [ $tries -lt 400 ] || { fail "$1 never has '$2': $(cat "$1")"; return; }
        sleep 0.05
    done
}

# A program that runs until a file is there; its data stays, its function changes.
cat >program.c <<'END'
#include <stdio.h>
#include <unistd.h>
static int calls;
static int step(void) { calls++; return 1; }
int main(void)
{
    int last = 0;
    while (access("end", F_OK) != 0) {
        int value = step();
        if (value != last)
            printf("%d\n", value), fflush(stdout);
        last = value;
        usleep(2000);
    }
    printf("%s\n", calls > 10 ? "kept" : "lost");
    return 3;
}
END
"$KILN" run --watch program.c >said.out 2>said.err &
runner=$!
await said.out 1
sed -i 's/return 1;/return 2;/' program.c
await said.out 2
await said.err 'generation 2'
await said.err 'step'
sed -i 's/return 2;/return oops;/' program.c
await said.err "use of undeclared identifier 'oops'"
sed -i 's/return oops;/return 4;/' program.c
await said.out 4
sed -i 's/last = 0/last = 1/' program.c
await said.err 'goes on in the code that it began in'
sed -i 's/^static int calls;/static int calls;\n/' program.c
await said.err 'are at the lines where the source has them now'
: >end
wait "$runner"
[ $? = 3 ] || fail "the program's status is lost"
[ "$(tail -n 1 said.out)" = kept ] || fail "data did not stay"

# A library.
echo 'int v = 1; int f(void) { return v; }' >library.c
"$KILN" watch --hot whole library.c >said.out 2>said.err &
watcher=$!
await said.err "watching 'library'"
sed -i 's/v = 1/v = 2/' library.c
await said.err 'v: it keeps the value that it has'
sed -i 's/return v/return v + 1/' library.c
await said.err 'generation 3'
kill "$watcher"
wait "$watcher"
[ $? = 143 ] || fail "a signal does not end kiln watch"

kiln 125 watch --hot odd library.c
says_part "--hot is 'odd'"
kiln 125 watch missing.c
finish
