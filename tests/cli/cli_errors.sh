# cli_errors.sh - Kiln's own failures: exit status 125, and the reason on standard error.
. "$(dirname "$0")/cli_lib.sh"

kiln 125 run missing.c
says_part "missing.c"
says_part "No such file or directory"
mkdir directory
for input in . directory directory/; do
    kiln 125 run $input
    says "kiln: error: cannot read '$input': Is a directory"
done
mkdir directory.c
kiln 125 run directory.c
says_part "directory.c"
printf 'int main(void) { return 1 }\n' >syntax.c
kiln 125 run syntax.c
says_part "syntax.c:1:26: error: expected ';' after return statement"
says_part "kiln: error: "
[ ! -s "$out" ] || fail "an error on standard output"
printf '#include <missing.h>\nint main(void) { return 0; }\n' >header.c
kiln 125 run header.c
says_part "'missing.h' file not found"
printf 'int lost(void);\nint main(void) { return lost(); }\n' >lost.c
kiln 125 run lost.c
says_part "lost"

# Flags that choose outputs or run other code are refused by name, with the reason.
echo 'int main(void) { return 0; }' >good.c
for flag in -c -E -S -M -MD -MMD -save-temps -save-temps=obj -fplugin=x.so; do
    kiln 125 run $flag good.c
    says_part "$flag"
done
kiln 125 run -o x good.c
says_part "-o"
kiln 125 run -Xclang -load -Xclang x.so good.c
says_part "-load"
kiln 125 run -MF x good.c
says_part "-MF"
[ ! -e x ] || fail "a refused flag wrote a file"
# How diagnostics look is Kiln's to say.
for format in sarif clang; do
    kiln 125 run -fdiagnostics-format=$format good.c
    says_part "'-fdiagnostics-format=$format'"
    says_part "diagnostics come back"
    kiln 125 run -Xclang -fdiagnostics-format -Xclang $format good.c
    says_part "-fdiagnostics-format"
done
printf '//kiln: -o stolen\nint main(void) { return 0; }\n' >own.c
kiln 125 run own.c
says_part "-o"

# A package that is not there is told of once, in words that are the user's.
kiln 125 run --pkg kiln-nosuch good.c
says "kiln: error: cannot plan the build of 'good': the pkg-config package 'kiln-nosuch' cannot be used: Package 'kiln-nosuch' not found"
kiln 125 run --pkg kiln-nosuch --pkg kiln-neither good.c
says_part "error: the pkg-config package 'kiln-nosuch' cannot be used"
says_part "error: the pkg-config package 'kiln-neither' cannot be used"

# A shared library is linked to, whatever it has.
kiln 0 build -o shared.so good.c
kiln 125 run ./shared.so
says_part "'./shared.so' is a shared library"
says_part "its 'main' is not called"

kiln 125 run --no-such-flag good.c
says_part "--no-such-flag"
kiln 125 run -fno-such-flag good.c
says_part "-fno-such-flag"
kiln 125 run --engine=tape good.c
says_part "tape"
kiln 125 run --compiler /nonexistent/kiln-compiler good.c
says_part "/nonexistent/kiln-compiler"
kiln 125 run --compiler /bin/true good.c
says_part "/bin/true"

# Limits.
echo 'constexpr int f(int n) { int s = 0; for (int i = 0; i < n; i++) for (int k = 0; k < n; k++) s ^= k; return s; }
static_assert(f(1000000) >= 0);
int main() {}' >endless.cpp
kiln 125 run --no-cache --time-limit 1s -std=c++20 -fconstexpr-steps=4000000000 endless.cpp
says_part "endless.cpp"

# A warning is said, on a hit too, and changes nothing.
printf 'int main(void) { int unused; return 5; }\n' >warning.c
kiln 5 run -Wall warning.c
says_part "warning.c:1:22: warning: unused variable 'unused' [-Wunused-variable]"
cp "$err" cold
kiln 5 run -Wall warning.c
cmp -s cold "$err" || fail "a hit does not repeat the warnings"

# No trace of colour or progress where standard error is no terminal.
kiln 125 run syntax.c
grep -q "$(printf '\033')" "$err" && fail "escape sequences in a file"

# Garbage.
head -c 4096 /dev/urandom >garbage
for extension in c o bc a ll; do
    cp garbage garbage.$extension
    kiln 125 run garbage.$extension
done
: >empty.c
kiln 125 run empty.c
says_part "has no function 'main'"
finish
