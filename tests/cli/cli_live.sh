# cli_live.sh - `--engine=jit` and `--lazy`: the same programs, linked in memory.
. "$(dirname "$0")/cli_lib.sh"

cat >program.c <<'END'
#include <stdio.h>
#include <stdlib.h>
static void at_end(void) { puts("end"); }
static int helper(int n) { return n * 2; }
__attribute__((constructor)) static void begin(void) { atexit(at_end); puts("begin"); }
int main(int argc, char **argv) { printf("%s %d\n", argv[argc - 1], helper(21)); return argc; }
END
echo 'int own(void) { return 1; }' >plain.c
for options in --engine=jit --lazy "--engine jit --lazy" "--engine=jit --no-cache"; do
    # shellcheck disable=SC2086  # words
    kiln 2 run $options program.c -- last
    prints "begin
last 42
end"
    quiet
    # shellcheck disable=SC2086
    kiln 0 load --json $options plain.c
    json /engine jit
    json /image ""
    json /unit_count 1
done
kiln 0 load --engine=jit plain.c
prints_part "engine    jit"
kiln 125 load --engine=image --lazy plain.c
says_part "'jit'"

# How it came to be.
echo "int fresh(void) { return 1; }" >fresh.c
echo 'int data; thread_local int own; namespace n { void f() {} }' >names.cpp
kiln 0 load --json --engine=jit fresh.c
json /hit false
json_type /miss_reason string
json_type /inputs int
json_type /seconds/compile double
kiln 0 load --json --engine=jit fresh.c
json /hit true
json_type /miss_reason null
kiln 0 symbols --engine=jit names.cpp
prints_part "n::f()"
prints_part "own"

# What has no name that tells what it is; assembly; what needs a linker, and says so.
kiln 2 run --engine=jit - -- last <program.c
prints_part "last 42"
{ echo "#!/usr/bin/env -S kiln run --engine=jit"; cat program.c; } >script
kiln 2 run --engine=jit ./script last
prints_part "last 42"
printf '.globl answer\n.type answer,@function\nanswer: mov $42, %%eax\nret\n.section .note.GNU-stack,"",@progbits\n' >answer.s
echo 'int answer(void); int main(void) { return answer(); }' >asks.c
kiln 42 run --engine=jit asks.c answer.s
kiln 0 load --json --engine=jit asks.c answer.s
json /engine jit
kiln 42 run --lazy asks.c answer.s
kiln 0 load --json --lazy asks.c answer.s
json /engine image
kiln 0 load --json --engine=jit -lrt -Wl,--as-needed plain.c
json /engine image

# Libraries by name, which need each other.
cat >kiln.yaml <<'END'
libraries:
  - name: lower
    sources: [lower.c]
  - name: upper
    sources: [upper.c]
    dependencies: [lower]
END
echo 'int lower(void) { return 41; }' >lower.c
echo 'int lower(void); int main(void) { return lower() + 1; }' >upper.c
kiln 42 run --engine=jit upper
kiln 42 run --lazy upper
kiln 42 run upper
kiln 0 load --json --engine=jit upper
json /engine jit

# Errors are those of any engine.
echo 'int main(void) { return nowhere }' >wrong.c
kiln 125 run --engine=jit wrong.c
says_part "wrong.c:1"
echo 'int missing(void); int main(void) { return missing(); }' >lacks.c
kiln 125 run --lazy lacks.c
says_part "missing"
KILN_JIT_PLUGIN=/nonexistent kiln 125 run --engine=jit program.c
says_part "KILN_JIT_PLUGIN"

finish
