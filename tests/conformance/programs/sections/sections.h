#pragma once
#define REGISTER(name)                                                                             \
    __attribute__((used, retain, section("registered"))) static const char *const entry_##name =   \
        #name
extern const char *const __start_registered[] __attribute__((visibility("hidden")));
extern const char *const __stop_registered[] __attribute__((visibility("hidden")));
