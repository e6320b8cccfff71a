# cli_manual.sh - the man pages: well-formed, one a command, and complete.
. "$(dirname "$0")/cli_lib.sh"

pages=${MANUAL:?}
for command in run watch load symbols build cache why doctor; do
    page=$pages/kiln-$command.1
    [ -f "$page" ] || { fail "there is no page kiln-$command.1"; continue; }
    # Every option that help knows is in the page, or in kiln.1 where commands share it.
    kiln 0 help $command
    for option in $(sed -n '/^Options:/,$p' "$out" | grep -oE -e '--[a-z-]+' | sort -u); do
        grep -qE -e "^\.It.* (Fl )?${option#-}( |\$)" "$page" "$pages/kiln.1" ||
            fail "kiln-$command.1 does not tell of $option"
    done
done
for variable in KILN_CACHE_DIR KILN_NO_CACHE KILN_JOBS KILN_COMPILER NO_COLOR; do
    grep -q "$variable" "$pages/kiln.1" || fail "kiln.1 does not tell of $variable"
done
command -v groff >/dev/null || skip "there is no groff to check the pages with"
for page in "$pages"/*.[0-9]; do
    check 0 groff -mandoc -Tutf8 -ww -z "$page"
    [ ! -s "$err" ] || fail "$page is not well-formed"
done
finish
