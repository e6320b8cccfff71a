# shellcheck shell=bash
# common.sh - what the scripts share: where things are, how they speak, root rights, apt's mirror and logs.
#
# Sourced, never run. Works on a fresh Debian in a bare chroot too, so it uses nothing outside of bash,
# coreutils and dpkg, and no process substitution (which needs /dev/fd, hence /proc).

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${KILN_BUILD_DIR:-$ROOT/build}
# Progress goes to standard error, so that what a script was asked for can be piped.
say() { printf '== %s\n' "$*" >&2; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# jobs_to_use - how many compilers at a time: a C++ source that includes LLVM takes about a gigabyte.
jobs_to_use() {
    local cores memory_gib
    cores=$(nproc)
    memory_gib=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
    echo "$((cores <= memory_gib || memory_gib < 1 ? cores : memory_gib))"
}

# as_root COMMAND... - run a command as root.
as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -- "$@"
    else
        die "this needs root, and there is no sudo; as root, run: $*"
    fi
}

# debian_mirror - the mirror of Debian's main suite that apt is configured with, without a final slash; empty for none.
# Names `deb http://MIRROR/debian bookworm main` and its deb822 form alike.
debian_mirror() {
    local codename
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    # shellcheck disable=SC2016  # apt expands these
    apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
        awk -v suite="$codename" '$1 == suite && $2 ~ /\/debian\/?$/ { sub("/$", "", $2); print $2; exit }'
}

# ensure_proc - Kiln and Clang need /proc; a bare chroot lacks it.
ensure_proc() {
    [[ ! -e /proc/self/exe ]] || return 0
    say "mounting /proc, which is missing here ('umount /proc' undoes it)"
    as_root mount -t proc proc /proc || die "/proc cannot be mounted; mount it and call this again"
}

# run_logged NAME COMMAND... - run quietly; on failure show the end of what it printed.
run_logged() {
    local log=$BUILD/logs/$1.log status=0
    shift
    mkdir -p "${log%/*}"
    "$@" >"$log" 2>&1 || status=$?
    [[ $status -eq 0 ]] && return 0
    tail -n 60 "$log" >&2
    say "failed ($status): $*"
    say "all of its output: $log"
    return "$status"
}

# kiln_configure FOLDER PRESET - configure a build folder, once; CMake itself notices later changes.
# The sanitizer builds borrow the release build's compiler process, wherever that is.
kiln_configure() {
    [[ -e $1/build.ninja ]] && return 0
    local -a more=()
    [[ $2 != [at]san ]] || more=(-DKILN_COMPILER_PROGRAM="$BUILD/bin/kiln-compiler")
    run_logged "configure-$2" cmake -S "$ROOT" -B "$1" --preset "$2" "${more[@]}"
}
