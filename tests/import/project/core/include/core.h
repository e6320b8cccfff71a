#pragma once
#ifdef __cplusplus
extern "C" {
#endif
const char *core_name(void);
int core_version(void);
int core_blank(void);
int core_piece(void);
double core_root(double value);
#ifdef __cplusplus
}
#endif
