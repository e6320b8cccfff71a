#pragma once
#ifdef __cplusplus
extern "C" {
#endif
extern int c11_count, pthread_count;
void c_once(void);
#ifdef __cplusplus
}
#endif
