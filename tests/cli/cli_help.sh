# cli_help.sh - help, version, and command lines that make no sense.
. "$(dirname "$0")/cli_lib.sh"

kiln 0 --version
prints_part "kiln 0."

for word in help --help -h; do
    kiln 0 $word
    prints_part "usage: kiln COMMAND"
    quiet
done

for command in run watch load symbols build cache why doctor; do
    kiln 0 help
    prints_part "  $command "
    kiln 0 help $command
    cp "$out" by-help
    prints_part "usage: kiln $command"
    prints_part "Examples:"
    prints_part "  kiln $command"
    prints_part "--help"
    kiln 0 $command --help
    cmp -s by-help "$out" || fail "help $command and $command --help differ"
    kiln 0 $command -h
    # Lines fit a terminal.
    awk 'length > 100 { found = 1 } END { exit !found }' "$out" && fail "help $command is too wide"
done

kiln 125
says_part "usage: kiln COMMAND"
kiln 125 help nonsense
says_part "there is no command 'nonsense'"
kiln 125 hello.c
says_part "there is no command 'hello.c'"
says_part "kiln run FILE"

for command in run load symbols; do
    kiln 125 $command
    says_part "no INPUT; see 'kiln help $command'"
done
kiln 125 build
says_part "no INPUT; see 'kiln help build'"
kiln 125 build a.c
says_part "give one with -o FILE"
kiln 125 cache
says_part "one of stats, list, verify, gc and clear"
kiln 125 cache wash
says_part "not 'wash'"
kiln 125 why a b
says_part "not 'b'"
kiln 125 doctor who
says_part "takes no 'who'"

# Nothing of this needs a cache, a home or a compiler.
[ ! -e "$KILN_CACHE_DIR" ] || fail "help made a cache directory"
finish
