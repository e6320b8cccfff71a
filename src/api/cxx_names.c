/* cxx_names.c - which C++ symbol is meant by a name as people write it: see cxx_names.h. */
#include "api/cxx_names.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static void replace_all(char *name, const char *full, const char *usual)
{
    size_t full_length = strlen(full), usual_length = strlen(usual);
    for (char *at = name; (at = strstr(at, full)); at += usual_length) {
        memcpy(at, usual, usual_length);
        memmove(at + usual_length, at + full_length, strlen(at + full_length) + 1);
    }
}

void cxx_name_squeeze(char *name)
{
    char *to = name;
    replace_all(name,
                "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char>>",
                "std::string");
    replace_all(name,
                "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >",
                "std::string");
    for (const char *from = strncmp(name, "::", 2) == 0 ? name + 2 : name; *from; from++)
        if (strncmp(from, "(void)", 6) == 0) {
            *to++ = '(';
            *to++ = ')';
            from += 5;
        } else if (strncmp(from, "[abi:", 5) == 0 && strchr(from, ']'))
            from = strchr(from, ']');
        else if (*from != ' ' || (to > name && is_word(to[-1]) && is_word(from[1])))
            *to++ = *from;
    *to = '\0';
}

/* What the compiler makes of its own accord, for a definition that has the rest of the name. */
static bool is_artificial(const char *demangled)
{
    static const char *const prefixes[] = {
        "vtable for ",
        "VTT for ",
        "typeinfo for ",
        "typeinfo name for ",
        "guard variable for ",
        "construction vtable for ",
        "virtual thunk to ",
        "non-virtual thunk to ",
        "covariant return thunk to ",
        "reference temporary ",
        "thread-local wrapper routine for ",
        "thread-local initialization routine for ",
    };
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(demangled, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

/* Where the parameter list of a function begins; NULL for what has none. The list is the last group
 * of parentheses: `(anonymous namespace)::f(int) const`, `operator()(int)`; not so in `f()::x`. */
static const char *find_parameters(const char *name)
{
    const char *end = strrchr(name, ')');
    int depth = 0;
    if (!end || strstr(end, "::"))
        return NULL;
    for (const char *at = end; at > name; at--) {
        depth += *at == ')';
        depth -= *at == '(';
        if (depth == 0)
            return at;
    }
    return NULL;
}

/* Behind the result, which only instances of templates have in their demangled names. */
static const char *skip_result(const char *name, const char *parameters)
{
    const char *start = name;
    int depth = 0;
    for (const char *at = name; at < parameters; at++) {
        /* What follows may be an operator's own bracket, or the type that is converted to. */
        if (strncmp(at, "operator", 8) == 0 && (at == name || !is_word(at[-1])) && !is_word(at[8]))
            return start;
        depth += *at == '<' || *at == '(';
        depth -= *at == '>' || *at == ')';
        if (*at == ' ' && depth == 0)
            start = at + 1;
    }
    return start;
}

/* The length of a name without the template arguments at its end. */
static size_t length_without_arguments(const char *name)
{
    size_t length = strlen(name), at = length;
    int depth = 0;
    if (length == 0 || name[length - 1] != '>')
        return length;
    do {
        at--;
        depth += name[at] == '>';
        depth -= name[at] == '<';
    } while (at > 0 && depth > 0);
    return at > 0 ? at : length;
}

/* A squeezed copy of a part of a name: malloc'd, NULL when out of memory. */
static char *squeezed(const char *begin, const char *end)
{
    char *copy = strndup(begin, (size_t)(end - begin));
    if (copy)
        cxx_name_squeeze(copy);
    return copy;
}

static bool matches(const char *begin, const char *end, const char *asked)
{
    char *name = squeezed(begin, end);
    bool match = name && strcmp(name, asked) == 0;
    free(name);
    return match;
}

static bool matches_without_arguments(const char *begin, const char *end, const char *asked)
{
    char *name = squeezed(begin, end);
    if (name)
        name[length_without_arguments(name)] = '\0';
    bool match = name && strcmp(name, asked) == 0;
    free(name);
    return match;
}

bool cxx_name_answers(const char *demangled, bool is_function, const char *asked)
{
    const char *end = demangled + strlen(demangled);
    if (matches(demangled, end, asked))
        return true;
    const char *parameters = is_function ? find_parameters(demangled) : NULL;
    if (!parameters || is_artificial(demangled))
        return false;
    const char *start = skip_result(demangled, parameters);
    return matches(start, end, asked) || matches(start, parameters, asked) ||
           matches_without_arguments(start, parameters, asked);
}

bool cxx_name_is_complete(const char *a, const char *b)
{
    size_t at = 0;
    while (a[at] && a[at] == b[at])
        at++;
    return at > 0 && (a[at - 1] == 'C' || a[at - 1] == 'D') && isdigit((unsigned char)a[at]) &&
           b[at] == '1' && strcmp(a + at + 1, b + at + 1) == 0;
}
