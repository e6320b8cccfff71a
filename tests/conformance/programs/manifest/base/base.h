#ifdef __cplusplus
extern "C"
#endif
    int
    base(void);
