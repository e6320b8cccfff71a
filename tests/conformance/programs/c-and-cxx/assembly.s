    .text
    .globl assembly_side
    .type assembly_side, @function
assembly_side:
    imull $10, %edi, %eax
    ret
    .size assembly_side, . - assembly_side
    .section .note.GNU-stack, "", @progbits
