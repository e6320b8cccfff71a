// Assembly with the preprocessor: calls back into C.
#include "offset.h"

    .text
    .globl preprocessed
    .type preprocessed, @function
preprocessed:
    subq $8, %rsp
    call called_back@PLT
    addl $OFFSET, %eax
    addq $8, %rsp
    ret
    .size preprocessed, . - preprocessed
#ifdef __ELF__
    .section .note.GNU-stack, "", @progbits
#endif
