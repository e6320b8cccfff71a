# cli_gdb.sh - a debugger breaks by file and line in what was loaded, and shows its source: of files, of memory sources and
# headers, of a dependency's headers, and of what the cache lends to a later build.
. "$(dirname "$0")/cli_lib.sh"

command -v gdb >/dev/null || skip "no gdb"
gdb -q -batch -ex run --args true >"$out" 2>"$err" && ! grep -q 'ptrace' "$err" || skip "gdb cannot run programs here"

# manifest NUMBER: the second source has that number, the others stay as they are.
manifest()
{
    cat >kiln.yaml <<END
libraries:
  - name: lender
    memory_headers:
      - {path: lent.h, text: "static inline int lent(int z)\\n{\\n    return z + 2; /* lent line */\\n}\\n"}
  - name: mem
    arguments: [-g, -O0]
    dependencies: [lender]
    sources: [disk.c]
    memory_sources:
      - path: a.c
        text: "#include \\"own.h\\"\\n#include <lent.h>\\nint twice(int x)\\n{\\n    return own(x) + lent(x); /* memory line */\\n}\\n"
      - {path: b.c, text: "int twice(int); int on_disk(int); int main(void) { return on_disk(twice($1)); }\\n"}
    memory_headers:
      - {path: own.h, text: "static inline int own(int z)\\n{\\n    return z + 1; /* own line */\\n}\\n"}
END
}
printf 'int on_disk(int x)\n{\n    return x * 2; /* disk line */\n}\n' >disk.c

# debug: stop at each of the four, and list what stands there.
debug()
{
    check 0 gdb -q -batch -ex 'set breakpoint pending on' -ex 'break a.c:5' -ex 'break own.h:3' -ex 'break lent.h:3' \
        -ex 'break disk.c:3' -ex run -ex continue -ex continue -ex continue -ex bt --args "$KILN" run mem
    for line in memory own lent disk; do
        grep -q "/\\* $line line \\*/" "$out" || fail "gdb does not show the $line line"
    done
    grep -q '^#1 .*main () at .*b\.c:1$' "$out" || fail "the back trace does not reach main"
}

manifest 3
debug
manifest 4
debug
kiln 0 cache gc --max-age 1d
debug
finish
