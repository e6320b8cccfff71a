#!/bin/sh
# run.sh HOST PROGRAM SETTING... - run one program of the conformance suite in one mode (modes.txt) and compare what it
# prints with PROGRAM/expected.txt. Exits 77 where PROGRAM/requires.sh or the program itself says that something is missing.
set -u
host=$1 program=$2
shift 2
CONFORMANCE_MODE=$*
export CONFORMANCE_MODE

scratch=$(mktemp -d "${TMPDIR:-/tmp}/kiln-conformance-XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

mkdir "$scratch/home" "$scratch/tmp"
HOME=$scratch/home TMPDIR=$scratch/tmp LC_ALL=C.UTF-8
export HOME TMPDIR LC_ALL
unset XDG_CACHE_HOME KILN_CACHE_DIR KILN_NO_CACHE CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH LIBRARY_PATH
case $CONFORMANCE_MODE in
*cache=none*) KILN_NO_CACHE=1 && export KILN_NO_CACHE ;;
*) KILN_CACHE_DIR=$scratch/cache && export KILN_CACHE_DIR ;;
esac

cd "$program" || exit 1
if [ -e requires.sh ] && ! reason=$(sh requires.sh 2>&1); then
    echo "skipped: $reason" >&2
    exit 77
fi

# Where a mode changes what a program sees, there is an expectation of its own.
expected=expected.txt
case $CONFORMANCE_MODE in
*hot=*) [ ! -e expected.hot.txt ] || expected=expected.hot.txt ;;
*engine=jit*)
    [ ! -e expected.jit.txt ] || expected=expected.jit.txt
    case $CONFORMANCE_MODE in
    *lazy=yes*) [ ! -e expected.jit-lazy.txt ] || expected=expected.jit-lazy.txt ;;
    esac
    # What cannot be: see differences-jit.txt, beside this file.
    for mode in jit lazy; do
        if [ -e "not-$mode.txt" ] && echo "$CONFORMANCE_MODE" | grep -q "$mode"; then
            echo "skipped: $(cat "not-$mode.txt")" >&2
            exit 77
        fi
    done
    ;;
esac

# Run the host once in the mode given; its standard output must be the expected one.
run_once() {
    CONFORMANCE_MODE=$1 "$host" >"$scratch/output"
    status=$?
    [ $status -eq 77 ] && exit 77
    if [ $status -ne 0 ]; then
        cat "$scratch/output"
        echo "exit status $status" >&2
        exit 1
    fi
    diff -u "$expected" "$scratch/output" || exit 1
}

case $CONFORMANCE_MODE in
*cache=filled*) run_once "$(echo "$CONFORMANCE_MODE" | sed 's/cache=filled/cache=fresh/')" ;;
esac
run_once "$CONFORMANCE_MODE"

if [ -n "${KILN_NO_CACHE:-}" ] && [ -n "$(ls -A "$HOME")" ]; then
    echo "a run without a cache wrote to the home directory:" >&2
    find "$HOME" >&2
    exit 1
fi
