#include <cstdio>

extern "C" {
int clash_function(void);
extern int clash_data;
extern thread_local int clash_tls;
int clash_weak(void);
int base_function(void);
extern int base_data;
int base_weak(void);
int base_reports(void);
int daemon_of_host(void);
int daemon(int, int);
}

__attribute__((noinline)) inline int clash_inline()
{
    return 2;
}
struct Clash {
    int method();
    static int count();
};
__attribute__((noinline)) int Clash::method()
{
    return 2;
}
__attribute__((noinline)) inline int Clash::count()
{
    return 2;
}
template <class T> __attribute__((noinline)) int clash_template(T)
{
    return 2;
}
int base_cxx(int);

extern "C" int run()
{
    int (*volatile inline_address)() = clash_inline;
    int (*volatile function_address)() = clash_function;
    int *volatile data_address = &clash_data;
    std::printf("own: %d %d %d %d %d %d %d %d %d\n", clash_function(), clash_data, clash_tls,
                clash_weak(), clash_inline(), Clash().method(), Clash::count(), clash_template(1),
                daemon(4, 2));
    std::printf("own by address: %d %d %d\n", inline_address(), function_address(), *data_address);
    std::printf("of the dependency: %d %d %d %d, its own view %d\n", base_function(), base_data,
                base_weak(), base_cxx(0), base_reports());
    std::printf("of the host: %d\n", daemon_of_host());
    return 0;
}
