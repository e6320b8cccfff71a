# cli_completion.sh - completion in bash.
. "$(dirname "$0")/cli_lib.sh"

command -v bash >/dev/null || skip "there is no bash"
: >hello.c

# completes EXPECTED WORD...: what the last word completes to, sorted, on one line.
completes()
{
    expected=$1
    shift
    check 0 bash -c 'source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kiln
        printf "%s\n" "${COMPREPLY[@]}" | sort | tr "\n" " "' bash "$COMPLETION" "$@"
    [ "$(cat "$out")" = "$expected " ] || fail "$*: does not complete to '$expected'"
}

completes "run" "$KILN" r
completes "cache" "$KILN" help c
completes "gc" "$KILN" cache g
completes "hello.c" "$KILN" run h
completes "--json" "$KILN" load --js
completes "--max-age --max-size" "$KILN" cache --max
completes "always auto" "$KILN" run --color a
completes "ir" "$KILN" build --kind ir
completes "hello.c" "$KILN" run hello.c -- h
finish
