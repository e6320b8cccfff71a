/* The library shares the host's libc: environment, errno, stdio buffers, locale, file descriptors,
 * working directory. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

int run(void)
{
    char directory[4096];
    setenv("SET_IN_LIBRARY", "yes", 1);
    printf("%s ", getenv("SET_IN_LIBRARY"));
    errno = 0;
    printf("%d %d ", open("/no/such/file", O_RDONLY), errno == ENOENT);
    printf("%s ", strrchr(getcwd(directory, sizeof directory), '/') + 1);
    printf("%s %zu ", setlocale(LC_ALL, "C.UTF-8") ? "locale" : "no locale",
           wcslen(L"\u00e4\u20ac"));
    char bytes[16];
    printf("%zu\n", wcstombs(bytes, L"\u00e4\u20ac", sizeof bytes));
    FILE *file = tmpfile();
    fprintf(file, "%d %s", 5, "words");
    rewind(file);
    int number;
    char word[16];
    printf("%d ", fscanf(file, "%d %15s", &number, word));
    printf("%d %s\n", number, word);
    fclose(file);
    return 0;
}
