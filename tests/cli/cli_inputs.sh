# cli_inputs.sh - what an INPUT can be, and Clang's flags.
. "$(dirname "$0")/cli_lib.sh"

cat >main.c <<'END'
int from_c(void), from_cxx(void), from_assembly(void), from_preprocessed(void);
int main(void) { return from_c() + from_cxx() + from_assembly() + from_preprocessed(); }
END
echo 'int from_c(void) { return 1; }' >a.c
echo 'extern "C" int from_cxx() { return 2; }' >b.cc
printf '.globl from_assembly\n.type from_assembly,@function\nfrom_assembly: movl $4, %%eax\nret\n.section .note.GNU-stack,"",@progbits\n' >c.s
printf '#define VALUE 8\n.globl from_preprocessed\n.type from_preprocessed,@function\nfrom_preprocessed: movl $VALUE, %%eax\nret\n.section .note.GNU-stack,"",@progbits\n' >d.S
kiln 15 run main.c a.c b.cc c.s d.S

# Every extension of C++.
for extension in cc cpp cxx c++ C; do
    echo 'template <class T> int f(T) { return sizeof(T); } int main() { return f(1LL); }' >"x.$extension"
    kiln 8 run "x.$extension"
done

# What kiln itself writes, it reads: each kind beside a source.
echo 'int part(void) { return 21; }' >part.c
echo 'int part(void); int main(void) { return 2 * part(); }' >whole.c
for extension in ll bc o a so s; do
    kiln 0 build -o "./part.$extension" part.c
    kiln 42 run whole.c "./part.$extension"
done

# -l and -L find it too, in the order given.
cp part.a libpart.a
kiln 42 run whole.c -L. -lpart
kiln 42 run whole.c -L . -l part
kiln 42 run whole.c -Wl,-L. -Wl,-lpart

# Flags in both forms; later ones win over the defaults and over earlier ones.
mkdir 'an include' system
echo '#define HERE 3' >'an include/here.h'
echo '#define SYSTEM 5' >system/system.h
echo '#define FORCED 7' >forced.h
cat >flags.c <<'END'
#include <here.h>
#include <system.h>
#ifdef UNDEFINED
#error
#endif
int main(void) { return HERE + SYSTEM + FORCED + ONE + TWO; }
END
kiln 18 run -I 'an include' -isystem system -include forced.h -D ONE=1 -DTWO=2 -DUNDEFINED -UUNDEFINED flags.c
kiln 18 run '-Ian include' flags.c -isystemsystem -DONE=1 -includeforced.h -DTWO=2
printf -- "-I 'an include' -isystem system\n-include \"forced.h\" -D ONE=1 -DTWO=2" >flags.txt
kiln 18 run @flags.txt flags.c
echo '#ifdef __OPTIMIZE__
int main(void) { return 1; }
#else
int main(void) { return 2; }
#endif' >optimize.c
kiln 1 run optimize.c
kiln 2 run -O0 optimize.c
kiln 1 run -O0 -O1 optimize.c
echo 'int main(void) { return __STDC_VERSION__ == 199901L; }' >standard.c
kiln 1 run -std=c99 standard.c

# -x holds for what follows it, and none ends it.
echo 'int main() { return sizeof(decltype(nullptr)); }' >cxx.txt
kiln 8 run -x c++ cxx.txt
kiln 8 run -xc++ cxx.txt
kiln 125 run cxx.txt
says_part "cannot tell the language of 'cxx.txt'"
echo 'int part(void); int main(void) { int class = part(); return class; }' >c-only.c
echo 'extern "C" int part() { return decltype(1)(21); }' >part.txt
kiln 21 run c-only.c -x c++ part.txt
kiln 21 run -x c++ part.txt -x none c-only.c

# Patterns that the shell left alone.
mkdir several
echo 'int one(void) { return 1; }' >several/1.c
echo 'int one(void); int main(void) { return 4 + one(); }' >several/2.c
kiln 5 run 'several/*.c'
echo 'int main(void) { return 9; }' >'odd[1] *.c'
kiln 9 run 'odd[1] *.c'

# Paths with blanks and with bytes that are no UTF-8.
odd=$(printf 'b\377 d')
mkdir "$odd"
echo 'int main(void) { return 10; }' >"$odd/e f.c"
kiln 10 run "$odd/e f.c"
kiln 0 load --json "$odd/e f.c"
json_type "" object

# The manifest: a name, a name beside a file, an existing file that wins.
mkdir -p project/below
cat >project/kiln.yaml <<'END'
libraries:
  - name: answer
    sources: [answer.c]
    public: {define: [ANSWER_FACTOR=2]}
  - name: program
    sources: [program.c]
    dependencies: [answer]
END
echo 'int answer(void) { return 21; }' >project/answer.c
echo 'int answer(void); int main(void) { return answer() + 1; }' >project/program.c
echo 'int answer(void); int main(void) { return answer() * ANSWER_FACTOR; }' >project/below/user.c
cd project/below || exit 1
kiln 22 run program
kiln 42 run answer user.c
mkdir program # a directory is no source
kiln 22 run program
rmdir program
kiln 125 run -O0 program
says_part "'-O0' cannot apply to 'program'"
kiln 125 load answer program
says_part "give one name, or names beside files"
kiln 125 run nothing
says_part "cannot read 'nothing': No such file or directory"
says_part "the manifest has no library of that name"
echo 'int main(void) { return 33; }' >program
kiln 33 run -x c program
rm program
kiln 0 load --json answer
json /name answer
cd "$scratch/work" || exit 1
kiln 22 run --manifest project/kiln.yaml program
kiln 125 run --manifest nowhere.yaml program
says_part "nowhere.yaml"
kiln 125 run program
says_part "cannot read 'program': No such file or directory"
printf 'libraries:\n  - name: x\n    sources: 3x\n' >project/kiln.yaml
kiln 125 run --manifest project/kiln.yaml x
says_part "kiln.yaml:3"

# A compilation database.
mkdir database
cat >database/compile_commands.json <<END
[{"directory": "$PWD", "command": "cc -DVALUE=14 -o database.o -c database.c", "file": "database.c"}]
END
echo 'int main(void) { return VALUE; }' >database.c
kiln 14 run --commands database

mkdir targets
cat >targets/compile_commands.json <<END
[{"directory": "$PWD", "command": "cc -DVALUE=14 -o CMakeFiles/first.dir/database.c.o -c database.c", "file": "database.c",
  "output": "CMakeFiles/first.dir/database.c.o"},
 {"directory": "$PWD", "command": "cc -DVALUE=15 -o CMakeFiles/second.dir/database.c.o -c database.c", "file": "database.c",
  "output": "CMakeFiles/second.dir/database.c.o"}]
END
kiln 15 run --commands targets second
kiln 14 run --commands targets/compile_commands.json first
kiln 125 run --commands targets
says_part first
says_part second
kiln 125 run --commands targets third
says_part third

# pkg-config.
mkdir packages
printf 'Name: part\nDescription: part\nVersion: 2\nCflags: -DFROM_PACKAGE=1\nLibs: -L%s -lpart\n' "$PWD" >packages/part.pc
echo 'int part(void); int main(void) { return part() + FROM_PACKAGE; }' >package.c
export PKG_CONFIG_PATH="$PWD/packages"
kiln 22 run --pkg part package.c
kiln 22 run --pkg 'part >= 2' package.c
kiln 125 run --pkg 'part >= 3' package.c
says_part "part"
kiln 125 run --pkg no-such-package package.c
says_part "no-such-package"
finish
