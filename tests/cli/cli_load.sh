# cli_load.sh - `kiln load` and `kiln symbols`.
. "$(dirname "$0")/cli_lib.sh"

cat >shapes.cpp <<'END'
namespace shapes {
int counter = 3;
double area(double radius) { return radius * radius; }
double area(double a, double b) { return a * b; }
} // namespace shapes
extern "C" int plain(void) { return 1; }
thread_local int per_thread = 2;
extern "C" __attribute__((weak)) int soft(void) { return 1; }
END

# For programs: one object.
kiln 0 load --json shapes.cpp
quiet
json /name shapes
json /engine image
json /hit false
json_type /seconds object
json_type /seconds/total double
json_type /seconds/compile double
json_type /image string
json_type /inputs int
json_type /symbol_count int
json_type /miss_reason string
[ "$("$JSON_GET" /inputs <"$out")" -ge 1 ] || fail "no inputs were recorded"
[ "$("$JSON_GET" /symbol_count <"$out")" -ge 6 ] || fail "too few symbols"
image=$("$JSON_GET" /image <"$out")
[ -f "$image" ] || fail "the image '$image' is no file"

kiln 0 load --json shapes.cpp
json /hit true
json /image "$image"
json_type /miss_reason null

kiln 0 load --json --no-cache shapes.cpp
json /hit false

# An edit is a miss, its undoing a hit.
cp shapes.cpp kept
echo 'int added;' >>shapes.cpp
kiln 0 load --json shapes.cpp
json /hit false
cp kept shapes.cpp
kiln 0 load --json shapes.cpp
json /hit true

# Diagnostics: those of a load that went well, and those of an error.
echo 'int f(void) { int unused; return 1; }' >warning.c
kiln 0 load --json -Wall warning.c
json /diagnostics/0/severity warning
json /diagnostics/0/option -Wunused-variable
json /diagnostics/0/file warning.c
json /diagnostics/0/line 1
echo 'int f(void) { return x; }' >error.c
kiln 125 load --json error.c
json /error/status KILN_COMPILE
json /error/phase compile
json /error/diagnostics/0/severity error
json /error/diagnostics/0/message "use of undeclared identifier 'x'"
says_part "error.c:1:22: error:"
echo 'int lost(void); int f(void) { return lost(); }' >lost.c
kiln 125 load --json lost.c
json /error/status KILN_BIND
json /error/missing_symbols/0/name lost

# For people.
kiln 0 load shapes.cpp
prints_part "library   shapes"
prints_part "engine    image"
prints_part "cache     hit"
prints_part "image     $image"
prints_part "symbols   "
kiln 0 load -v --no-cache shapes.cpp
prints_part "cache     miss"
says_part "compiled"

# Constructors run, and what they print stays apart.
printf '#include <unistd.h>\n__attribute__((constructor)) static void hello(void) { write(2, "hello\\n", 6); }\n' >constructor.c
kiln 0 load --json constructor.c
says "hello"
json /name constructor

# Symbols.
kiln 0 symbols shapes.cpp
prints_part "shapes::area(double)"
prints_part "shapes::area(double, double)"
prints_part "shapes::counter"
grep -q '^function .* plain$' "$out" || fail "plain is no function"
grep -q '^data  *4 shapes::counter$' "$out" || fail "counter is no data of 4 bytes"
grep -q '^thread-local  *4 per_thread$' "$out" || fail "per_thread is not thread-local"
grep -q 'soft  (weak)$' "$out" || fail "soft is not weak"
kiln 0 symbols --mangled shapes.cpp
prints_part "_ZN6shapes4areaEdd"
kiln 0 symbols --json shapes.cpp
json /name shapes
json_type /symbols array
json_type /symbols/0/size int
kiln 125 symbols error.c
finish
