# cli_terminal.sh - progress and colours, which only a terminal gets.
#
# script(1) is the terminal. A compiler that starts a second late makes every build take more than half a second.
. "$(dirname "$0")/cli_lib.sh"

command -v script >/dev/null || skip "there is no script(1) to make a terminal"
script -qec true /dev/null </dev/null >"$out" 2>"$err" || skip "no terminal can be made: $(cat "$err")"
compiler=${KILN_COMPILER:-$(dirname "$KILN")/kiln-compiler}
[ -x "$compiler" ] || skip "there is no kiln-compiler beside kiln"
printf '#!/bin/sh\nsleep 1\nexec "%s" "$@"\n' "$compiler" >late-compiler
chmod +x late-compiler
export TERM=xterm
escape=$(printf '\033')

# on_terminal STATUS COMMAND-LINE: run it with all its streams on a terminal.
on_terminal()
{
    wanted=$1
    what=$2
    script -qec "$2" /dev/null </dev/null >"$out" 2>"$err"
    status=$?
    [ "$status" = "$wanted" ] || fail "$what: exit status $status, not $wanted"
}

has()
{
    grep -qF -e "$1" "$out" || fail "$what: the terminal does not show '$1'"
}

has_not()
{
    grep -qF -e "$1" "$out" && fail "$what: the terminal shows '$1'"
}

# Each unit takes long enough for a line to be drawn while it compiles.
for unit in one two; do
    echo "constexpr int f(int n) { int s = 0; for (int i = 0; i < n; i++) s ^= i; return s; }
constexpr int $unit = f(1500000);
int use_$unit() { return $unit; }" >$unit.cpp
done
echo 'int main() { return 5; }' >main.cpp

on_terminal 5 "$KILN run --compiler $PWD/late-compiler --jobs 1 -std=c++20 -fconstexpr-steps=100000000 main.cpp one.cpp two.cpp"
has "/3] "
has "one.cpp"
has "two.cpp"
# The line is gone at the end: what was drawn last is its erasure.
last=$(tr '\r' '\n' <"$out" | grep -v '^$' | tail -n 1)
[ "$last" = "$escape[K" ] || fail "the progress line is left standing: '$last'"

# So for a build without a load.
on_terminal 0 "$KILN build --compiler $PWD/late-compiler --jobs 1 -std=c++20 -fconstexpr-steps=100000000 -o x.o one.cpp two.cpp --no-cache"
has "/2] "

# Standard error decides: a file gets nothing.
on_terminal 5 "$KILN run --no-cache --compiler $PWD/late-compiler main.cpp 2>$scratch/file"
has_not "$escape"
[ ! -s "$scratch/file" ] || fail "progress in a file"
TERM=dumb on_terminal 5 "$KILN run --no-cache --compiler $PWD/late-compiler main.cpp"
has_not "$escape"

# The program's own output finds a clean line.
printf '#include <stdio.h>\n__attribute__((constructor)) static void early(void) { puts("EARLY"); }\nint main(void) { puts("MAIN"); return 0; }\n' >talks.c
on_terminal 0 "$KILN run --no-cache --compiler $PWD/late-compiler talks.c"
tr '\r' '\n' <"$out" | grep -qE "^($escape\[K)?EARLY" || fail "the progress line stands before the program's output"

# Ctrl-C leaves a clean line too, and ends kiln as it ends any program.
echo 'constexpr int f(int n) { int s = 0; for (int i = 0; i < n; i++) s ^= i; return s; }
constexpr int x = f(1000000000);' >endless.cpp
cat >interrupted.sh <<END
$KILN run --no-cache --compiler $PWD/late-compiler -std=c++20 -fconstexpr-steps=4000000000 endless.cpp &
tries=0
until grep -qF endless.cpp "$out" || [ \$tries = 600 ]; do sleep 0.1; tries=\$((tries + 1)); done
kill -TERM \$!
wait \$!
END
on_terminal 143 "sh interrupted.sh"
has "endless.cpp"
last=$(tr '\r' '\n' <"$out" | grep -v '^$' | sed 's/Terminated//' | tail -n 1)
[ "$last" = "$escape[K" ] || fail "the progress line is left standing: '$last'"

# Colours as clang's.
echo 'int main(void) { int unused; return x; }' >wrong.c
on_terminal 125 "$KILN run -Wall wrong.c"
has "$escape[1mwrong.c:1:37: $escape[0m$escape[0;1;31merror: $escape[0m$escape[1muse of undeclared identifier 'x'"
has "$escape[0;1;32m"
on_terminal 125 "NO_COLOR=1 $KILN run wrong.c"
has_not "$escape[1m"
on_terminal 125 "$KILN run --color=never wrong.c"
has_not "$escape[1m"
on_terminal 125 "NO_COLOR=1 $KILN run --color=always wrong.c"
has "$escape[0;1;31merror: "
kiln 125 run --color=always wrong.c
says_part "$escape[0;1;31merror: "
finish
