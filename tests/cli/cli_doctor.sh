# cli_doctor.sh - `kiln doctor`: a line for each thing that is needed.
. "$(dirname "$0")/cli_lib.sh"

kiln 0 doctor
for what in compiler 'compiler headers' 'C headers' 'C++ headers' 'linking C' 'linking C++' loading cache machine; do
    prints_part "ok       $what"
done
kiln 0 cache stats --json
json /entries 0

# Each problem is found and named, with what to do.
kiln 1 doctor --compiler /nonexistent/kiln-compiler
prints_part "problem  compiler"
prints_part "/nonexistent/kiln-compiler"
mkdir "$scratch/shared" && chmod 777 "$scratch/shared"
kiln 1 doctor --cache-dir "$scratch/shared"
prints_part "problem  cache"
: >"$scratch/file"
kiln 1 doctor --cache-dir "$scratch/file"
prints_part "problem  cache"
KILN_NO_CACHE=1 kiln 0 doctor
finish
