# cli_gdb_hot.sh - a debugger and a program whose code is replaced: breakpoints by function and by line, made before and after,
# reach the newest generation, and a back trace tells it.
. "$(dirname "$0")/cli_lib.sh"

command -v gdb >/dev/null || skip "no gdb"
gdb -q -batch -ex run --args true >"$out" 2>"$err" && ! grep -q 'ptrace' "$err" || skip "gdb cannot run programs here"
frames=$(cd "$(dirname "$0")/../../cli/gdb" && pwd)/kiln.py

# It edits itself while it is watched, and waits until that is live.
cat >unedited.c <<'END'
#include <stdlib.h>
#include <unistd.h>
static int stride(int last)
{
    return last + 1; /* body of stride */
}
static int outer(int last)
{
    volatile int kept = stride(last);
    return kept;
}
static void live(void)
{
}
int main(void)
{
    system("sed -i 's/last + 1/last + 2/' program.c");
    for (int i = 0; i < 10000 && outer(0) != 2; i++)
        usleep(5000);
    live();
    return outer(3);
}
END

# debug BREAK: stop where the edit is live, make another breakpoint, and see that it stops in the new code.
debug()
{
    cp unedited.c program.c
    check 0 timeout 100 gdb -q -batch -ex 'set breakpoint pending on' -ex "source $frames" -ex 'break live' -ex run \
        -ex "break $1" -ex continue -ex bt -ex list --args "$KILN" run --watch program.c
    grep -q '^#0 .*stride \[generation 2\] (last=3) at .*program\.c:5' "$out" || fail "no stop in generation 2 at '$1'"
    grep -q '^#1 .*outer (last=3) at .*program\.c:9' "$out" || fail "the caller's generation is wrong"
    grep -q 'return last + 2; /\* body of stride \*/' "$out" || fail "gdb shows other source"
}
debug stride
debug program.c:5

# What stands behind an edit is where the source has it, after a while.
cat >program.c <<'END'
#include <stdlib.h>
#include <unistd.h>
static int stride(int last)
{
    return last + 1;
}
static int behind(int last)
{
    return last + __LINE__;
}
static void live(void)
{
}
int main(void)
{
    system("sed -i '5s/^/    last++;\\n/' program.c");
    for (int i = 0; i < 10000 && (stride(0) != 2 || behind(0) != 10); i++)
        usleep(5000);
    live();
    return behind(3);
}
END
check 0 timeout 100 gdb -q -batch -ex 'set breakpoint pending on' -ex "source $frames" -ex 'break live' -ex run \
    -ex 'break behind' -ex continue -ex bt -ex list --args "$KILN" run --watch program.c
grep -q '^#0 .*behind \[generation 3\] (last=3) at .*program\.c:10' "$out" || fail "the line of what was moved is wrong"
grep -q '^10.*return last + __LINE__;' "$out" || fail "gdb shows another line"
finish
