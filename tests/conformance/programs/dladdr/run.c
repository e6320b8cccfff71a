//kiln: -D_GNU_SOURCE
/* dladdr names the library's functions and data and finds its file; dl_iterate_phdr lists it. */
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

int some_data = 1;

int some_function(void)
{
    return some_data;
}

static int contains(struct dl_phdr_info *info, size_t size, void *found)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        ElfW(Addr) start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        if (info->dlpi_phdr[i].p_type == PT_LOAD &&
            (ElfW(Addr))some_function - start < info->dlpi_phdr[i].p_memsz)
            *(int *)found = 1;
    }
    return 0;
}

int run(void)
{
    Dl_info function = {0}, data = {0};
    int listed = 0;
    dladdr((void *)some_function, &function);
    dladdr(&some_data, &data);
    printf("%s %s\n", function.dli_sname, data.dli_sname);
    printf("addresses %s\n",
           function.dli_saddr == (void *)some_function && data.dli_saddr == &some_data ? "right"
                                                                                       : "wrong");
    printf("one file %s\n",
           function.dli_fname && strcmp(function.dli_fname, data.dli_fname) == 0 ? "yes" : "no");
    dl_iterate_phdr(contains, &listed);
    printf("listed %s\n", listed ? "yes" : "no");
    return 0;
}
