/* formula.c - a language of one line, compiled while the program runs.
 *
 *     formula '3 x * x * 7 +' 5
 *
 * A formula is in reverse Polish notation: numbers, x, + - * and `square`, which the program has. It
 * becomes LLVM IR, that becomes code in this process, and the code is called with the number. */
#include <ctype.h>
#include <kiln.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What formulas can call. */
static long square(long x)
{
    return x * x;
}

/* ---- the language: a formula to LLVM IR ---- */

typedef struct stack {
    char values[32][24]; /* operands as IR writes them: constants, %x, %1 ... */
    size_t count;
} stack;

static bool push(stack *stack, const char *value)
{
    if (stack->count == 32)
        return false;
    snprintf(stack->values[stack->count++], sizeof stack->values[0], "%s", value);
    return true;
}

static bool write_word(FILE *ir, const char *word, stack *stack, unsigned *results)
{
    static const char *const operations[][2] = {{"+", "add"}, {"-", "sub"}, {"*", "mul"}};
    char result[24];
    snprintf(result, sizeof result, "%%r%u", (*results)++);
    if (strcmp(word, "x") == 0)
        return push(stack, "%x");
    if (isdigit((unsigned char)*word))
        return push(stack, word);
    if (strcmp(word, "square") == 0 && stack->count >= 1) {
        fprintf(ir, "  %s = call i64 @square(i64 %s)\n", result, stack->values[--stack->count]);
        return push(stack, result);
    }
    for (size_t i = 0; i < 3 && stack->count >= 2; i++) {
        if (strcmp(word, operations[i][0]) != 0)
            continue;
        stack->count -= 2;
        fprintf(ir, "  %s = %s i64 %s, %s\n", result, operations[i][1], stack->values[stack->count],
                stack->values[stack->count + 1]);
        return push(stack, result);
    }
    return false;
}

/* The IR of `long formula(long x)`, malloc'd; NULL: it is no formula. */
static char *translate(const char *formula)
{
    char *ir = NULL, *copy = strdup(formula), *place = NULL;
    size_t size;
    stack stack = {0};
    unsigned results = 0;
    FILE *out = open_memstream(&ir, &size);
    fputs("declare i64 @square(i64)\ndefine i64 @formula(i64 %x) {\n", out);
    bool fine = true;
    for (char *word = strtok_r(copy, " ", &place); fine && word; word = strtok_r(NULL, " ", &place))
        fine = write_word(out, word, &stack, &results);
    fprintf(out, "  ret i64 %s\n}\n", stack.count ? stack.values[0] : "0");
    fclose(out);
    free(copy);
    if (fine && stack.count == 1)
        return ir;
    free(ir);
    return NULL;
}

/* ---- its code ---- */

typedef long (*formula_function)(long x);

static formula_function compile(kiln_jit *jit, const char *ir, kiln_error **error)
{
    const kiln_jit_symbol symbols[] = {{"square", (const void *)(size_t)square}};
    kiln_jit_dylib *dylib;
    kiln_jit_code *code;

    if (kiln_jit_add_dylib(jit, "formulas", NULL, &dylib, error) != KILN_OK ||
        kiln_jit_add_symbols(dylib, "host", symbols, 1, NULL, error) != KILN_OK ||
        kiln_jit_add_bytes(dylib, "formula", ir, strlen(ir), &code, error) != KILN_OK)
        return NULL;
    return (formula_function)kiln_jit_function(dylib, "formula", error);
}

int main(int argc, char **argv)
{
    kiln_error *error = NULL;
    kiln_jit *jit;

    if (argc != 3) {
        fprintf(stderr, "usage: formula 'FORMULA' NUMBER\n");
        return 2;
    }
    char *ir = translate(argv[1]);
    if (!ir) {
        fprintf(stderr, "'%s' is no formula\n", argv[1]);
        return 1;
    }
    formula_function run = NULL;
    if (kiln_jit_create(NULL, NULL, &jit, &error) == KILN_OK)
        run = compile(jit, ir, &error);
    if (!run) {
        fprintf(stderr, "%s\n", kiln_error_rendered(error));
        kiln_error_destroy(error);
        return 1;
    }
    printf("f(%s) = %ld\n", argv[2], run(atol(argv[2])));
    kiln_jit_destroy(jit);
    free(ir);
    return 0;
}
