# Plain assembly.
    .text
    .globl plain_twice
    .type plain_twice, @function
plain_twice:
    .cfi_startproc
    leal (%rdi, %rdi), %eax
    ret
    .cfi_endproc
    .size plain_twice, . - plain_twice

    .data
    .globl assembly_data
    .type assembly_data, @object
    .p2align 2
assembly_data:
    .long 1, 2, 3
    .size assembly_data, . - assembly_data
    .section .note.GNU-stack, "", @progbits
