# cli_lib.sh - what the tests of the command share: a scratch directory, checks.
#
# Sourced first. $KILN is the command, $JSON_GET the helper that looks into JSON. Home and cache are in the scratch directory,
# which is the current one. A failed check says where and goes on; finish ends the test.
set -u

scratch=$(mktemp -d "${TMPDIR:-/tmp}/kiln-cli-XXXXXX") || exit 1
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
cd "$scratch" || exit 1
mkdir home work && cd work || exit 1
export HOME="$scratch/home"
export KILN_CACHE_DIR="$scratch/cache"
export LC_ALL=C
unset XDG_CACHE_HOME KILN_NO_CACHE KILN_JOBS NO_COLOR CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH
umask 022
failures=0

out=$scratch/out # what the last command printed
err=$scratch/err

fail()
{
    failures=$((failures + 1))
    echo "FAILED: $*"
    sed 's/^/  stdout: /' "$out"
    sed 's/^/  stderr: /' "$err"
}

# skip REASON: this test cannot get its input. What failed before stays a failure.
skip()
{
    [ "$failures" = 0 ] || finish
    echo "skipped: $*"
    exit 77
}

# check STATUS COMMAND ARG...: run a command, keep what it prints, compare its exit status.
check()
{
    wanted=$1
    shift
    what=$*
    "$@" >"$out" 2>"$err"
    status=$?
    [ "$status" = "$wanted" ] || fail "$what: exit status $status, not $wanted"
}

# kiln STATUS ARG...: the same for the command under test.
kiln()
{
    wanted=$1
    shift
    check "$wanted" "$KILN" "$@"
}

# prints TEXT / says TEXT: standard output, or standard error, is just this text.
prints()
{
    [ "$(cat "$out")" = "$1" ] || fail "$what: does not print '$1'"
}

says()
{
    [ "$(cat "$err")" = "$1" ] || fail "$what: does not say '$1'"
}

quiet()
{
    [ ! -s "$err" ] || fail "$what: says something"
}

# prints_line TEXT / says_line TEXT: the text is somewhere in it.
prints_part()
{
    grep -qF -e "$1" "$out" || fail "$what: nothing printed has '$1'"
}

says_part()
{
    grep -qF -e "$1" "$err" || fail "$what: nothing said has '$1'"
}

# json POINTER VALUE: what the last command printed has this value there.
json()
{
    value=$("$JSON_GET" "$1" <"$out") || value='(none)'
    [ "$value" = "$2" ] || fail "$what: $1 is '$value', not '$2'"
}

# json_type POINTER TYPE
json_type()
{
    value=$("$JSON_GET" "$1" TYPE <"$out") || value='(none)'
    [ "$value" = "$2" ] || fail "$what: $1 is of type '$value', not '$2'"
}

finish()
{
    [ "$failures" = 0 ] && exit 0
    echo "$failures checks failed"
    exit 1
}
