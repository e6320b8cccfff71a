# cli_output.sh - standard output that cannot be written, and the object of --json where a command fails.
. "$(dirname "$0")/cli_lib.sh"

[ -c /dev/full ] || skip "there is no /dev/full to write to"
echo 'int f(void) { return 1; }' >a.c
kiln 0 load a.c

# ---- standard output ----

full()
{
    check 125 sh -c 'exec "$@" >/dev/full' sh "$KILN" "$@"
    says "kiln: error: cannot write standard output: No space left on device"
}
full load a.c
full load --json a.c
full symbols a.c
full symbols --json a.c
for action in stats list verify gc clear 'stats --json' 'list --json'; do
    # shellcheck disable=SC2086 # the words of one command
    full cache $action
done
kiln 0 load a.c
full why
full doctor
full help
full help run
full run --help
full --version

# More than a buffer holds fails in the midst of it.
for i in 1 2 3 4 5 6 7 8 9; do
    printf 'int name_%s_%0500d;\n' $i 0
done >long.c
full symbols long.c

# Closed, it fails likewise; and no file of the cache takes its place.
for redirection in '>&-' '<&- >&-'; do
    check 125 sh -c "exec \"\$@\" $redirection" sh "$KILN" load --no-cache a.c
    says "kiln: error: cannot write standard output: Bad file descriptor"
    rm -rf "$KILN_CACHE_DIR"
    check 125 sh -c "exec \"\$@\" $redirection" sh "$KILN" symbols a.c
    says "kiln: error: cannot write standard output: Bad file descriptor"
    kiln 0 cache verify
    prints_part "removed 0"
done
check 125 sh -c 'exec "$@" >&- 2>&-' sh "$KILN" load a.c
# Who prints nothing misses nothing.
check 0 sh -c 'exec "$@" >&-' sh "$KILN" build -o a.o a.c
quiet
echo 'int main(void) { return 3; }' >main.c
check 3 sh -c 'exec "$@" <&- >&- 2>&-' sh "$KILN" run main.c

# ---- a failure is an object too ----

# fails STATUS TEXT ARG...: one object with this error, whose text is also on standard error.
fails()
{
    wanted_status=$1
    wanted_text=$2
    shift 2
    kiln 125 "$@"
    json /error/status "$wanted_status"
    json_type /error/phase string
    json_type /error/diagnostics array
    json_type /error/missing_symbols array
    "$JSON_GET" /error/message <"$out" | grep -qF -e "$wanted_text" || fail "$what: the message is not '$wanted_text'"
    says_part "$wanted_text"
}
echo 'int f(void) { return x; }' >wrong.c
mkdir directory
echo 'libraries: 5' >bad.yaml
: >file
for command in load symbols; do
    fails KILN_NOT_FOUND "cannot read 'missing.c': No such file or directory" $command --json missing.c
    fails KILN_IO "cannot read 'directory': Is a directory" $command --json directory
    fails KILN_INVALID_ARGUMENT "no INPUT" $command --json
    fails KILN_INVALID_ARGUMENT "no INPUT" $command -O2 --json
    fails KILN_INVALID_ARGUMENT "--jobs takes a number, not 'many'" $command --jobs many --json a.c
    fails KILN_INVALID_ARGUMENT "unknown option '--no-cahce'" $command --no-cahce a.c --json
    fails KILN_IO "cannot read '@nowhere'" $command --json @nowhere
    fails KILN_IO "file" $command --json --cache-dir file a.c
    fails KILN_NOT_FOUND "nowhere.yaml" $command --json --manifest nowhere.yaml x
    fails KILN_SPEC "bad.yaml" $command --json --manifest bad.yaml x
    fails KILN_SPEC "-save-temps" $command --json -save-temps a.c
    fails KILN_INVALID_ARGUMENT "standard input" $command --json - -
    fails KILN_COMPILE "wrong.c" $command --json wrong.c
    json /error/diagnostics/0/message "use of undeclared identifier 'x'"
    json /error/diagnostics/0/line 1
done
fails KILN_INVALID_ARGUMENT "not 'wash'" cache wash --json
KILN_NO_CACHE=1 fails KILN_NOT_FOUND "there is no cache" cache stats --json
fails KILN_IO "file" cache list --json --cache-dir file
# Who did not ask for it does not get it.
kiln 125 load missing.c
[ ! -s "$out" ] || fail "$what: prints something"
kiln 125 build --json -o a.o a.c
[ ! -s "$out" ] || fail "$what: prints something"
finish
