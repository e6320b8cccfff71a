// C, C++ and assembly in one library; a C++ entry called from C; C++ objects behind a C interface;
// the C file needs the C++ library.
#include <cstdio>
#include <string>

extern "C" int c_side(int n);
extern "C" int assembly_side(int n);

extern "C" const char *cxx_text(int n)
{
    static std::string text;
    text = std::to_string(n) + "!";
    return text.c_str();
}

extern "C" int run()
{
    std::printf("%d\n", c_side(assembly_side(4)));
    return 0;
}
