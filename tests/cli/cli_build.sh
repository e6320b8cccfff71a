# cli_build.sh - `kiln build`: one file, of the kind that its name asks for.
. "$(dirname "$0")/cli_lib.sh"

echo 'int one(void) { return 1; }' >a.c
echo 'int two(void) { return 2; }' >b.c
echo 'int one(void); int two(void); int main(void) { return one() + two(); }' >main.c

# magic FILE HEX: the first bytes of a file.
magic()
{
    [ "$(od -An -tx1 -N4 "$1" | tr -d ' ')" = "$2" ] || fail "$1 is of another kind"
}

kiln 0 build -o x.so a.c b.c
quiet
prints ""
magic x.so 7f454c46
[ "$(od -An -tu2 -j16 -N2 x.so | tr -d ' ')" = 3 ] || fail "x.so is no shared object"
kiln 0 build -o x.so.1.2 a.c
magic x.so.1.2 7f454c46
kiln 0 build -o x.o a.c b.c
magic x.o 7f454c46
[ "$(od -An -tu2 -j16 -N2 x.o | tr -d ' ')" = 1 ] || fail "x.o is no object"
kiln 0 build -o x.bc a.c b.c
magic x.bc 4243c0de
kiln 0 build -o x.a a.c b.c
[ "$(head -c 7 x.a)" = '!<arch>' ] || fail "x.a is no archive"
kiln 0 build -o x.ll a.c
grep -q 'define.*@one' x.ll || fail "x.ll is no IR"
kiln 0 build -o x.s a.c
grep -q '^one:' x.s || fail "x.s is no assembly"
for file in x.so x.o x.bc x.a; do
    kiln 3 run main.c ./$file
done

# The shared library can be installed: it names nothing of the cache or of memory.
grep -q "$KILN_CACHE_DIR" x.so && fail "x.so names the cache"
if command -v cc >/dev/null; then
    cc -o program main.c ./x.so || fail "a program does not link with x.so"
    check 3 ./program
    cc -o program main.c x.a || fail "a program does not link with x.a"
    check 3 ./program
fi

# One source for .s and .ll.
kiln 125 build -o y.ll a.c b.c
says_part "2 sources do not fit one file of kind 'ir'"
kiln 125 build -o y.s '*.c'
says_part "do not fit one file of kind 'assembly'"
[ ! -e y.ll ] && [ ! -e y.s ] || fail "a failed build left a file"

# The kind by name, and names that do not tell.
kiln 0 build -o out.txt --kind ir a.c
grep -q 'define.*@one' out.txt || fail "out.txt is no IR"
kiln 125 build -o out.bin a.c
says_part "'out.bin' does not say what to write"
kiln 125 build -o out.o --kind executable a.c
says_part "not 'executable'"
kiln 0 build -o - --kind assembly a.c
prints_part "one:"
kiln 0 build -o /dev/null --kind object a.c

# Whole or not at all: an error leaves what was there, and no temporary file.
echo before >kept.o
echo 'int broken(void) { return x; }' >broken.c
kiln 125 build -o kept.o broken.c
[ "$(cat kept.o)" = before ] || fail "a failed build touched its output"
kiln 125 build -o missing/x.o a.c
says_part "cannot write 'missing/x.o': No such file or directory"
mkdir only && cd only || exit 1
kiln 0 build -o x.o ../a.c
[ "$(ls)" = x.o ] || fail "files are left beside the output"
cd ..

# Permissions follow the umask; a link's target is what changes.
[ "$(stat -c %a x.so)" = 755 ] || fail "x.so has mode $(stat -c %a x.so)"
[ "$(stat -c %a x.o)" = 644 ] || fail "x.o has mode $(stat -c %a x.o)"
ln -s target.o link.o
: >target.o
kiln 0 build -o link.o a.c
[ -L link.o ] && magic target.o 7f454c46

# Flags, standard input, a library of the manifest.
kiln 0 build -o z.ll -DVALUE=77 - <<'END'
int f(void) { return VALUE; }
END
grep -q 'ret i32 77' z.ll || fail "flags or standard input were not used"
printf 'libraries:\n  - name: both\n    sources: [a.c, b.c]\n' >kiln.yaml
kiln 0 build -o named.o both
kiln 3 run main.c ./named.o
finish
