/* cxx_names.h - which C++ symbol is meant by a name as people write it.
 *
 * Pure functions of the text that demanglers produce (the Itanium C++ ABI's, as LLVM prints it). */
#ifndef KILN_API_CXX_NAMES_H
#define KILN_API_CXX_NAMES_H

#include <stdbool.h>

/* Take out what people do not write, in place: spaces that mean nothing (`f(int, char)` is
 * `f(int,char)`), ABI tags (`f[abi:cxx11]()`), the `::` that all could begin with; and
 * put `f()` for `f(void)`, `std::string` for what it stands for. */
void cxx_name_squeeze(char *name);

/* Whether a symbol's demangled name answers to `asked`, which is squeezed: in full, or without what
 * overloads and instances of a template differ in, which is result, parameters and template
 * arguments. What the compiler makes beside a definition (thunks, guards, vtables) answers to its
 * full name alone. is_function: variables have no parameters. */
bool cxx_name_answers(const char *demangled, bool is_function, const char *asked);

/* Whether two symbols of one demangled name are variants of one constructor or destructor, of which
 * `b` is the one for complete objects. */
bool cxx_name_is_complete(const char *a, const char *b);

#endif
