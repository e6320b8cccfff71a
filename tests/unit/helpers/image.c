/* image.c - makes an image as the compiler process does, for tests of the loading side:
 * helper_image OUT ID [ARGUMENT]...
 *
 *     --dep FILE   a dependency: another image
 *     --host NAME  a host symbol
 *
 * Anything else goes to clang-22, which compiles and links (sources end in .c or .cpp). In the
 * environment: IMAGE_HOST_PREFIX makes every undefined symbol that begins so a host symbol,
 * IMAGE_CXX compiles C++ instead (g++ for one), IMAGE_LEAVE_VERSIONS leaves out a step.
 *
 * Objects are compiled first, their weak variables get the shared version and stay open to other
 * images, everything else binds within the image. Then references to dependencies are marked so
 * that only the dependency's own version satisfies them, and host symbols get the high bit. Exits
 * 77 where clang or lld is not installed. */
#include <elf.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { most_arguments = 200 };

static const char *dependencies[16], *hosts[32], *rest[64], *sources[16];
static size_t dependency_count, host_count, rest_count, source_count;

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void run(char **arguments)
{
    pid_t child = fork();
    if (child == 0) {
        execvp(arguments[0], arguments);
        _exit(77);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child)
        fail("clang-22");
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static char *print(const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        exit(1);
    va_end(arguments);
    return text;
}

static char *map(const char *path, size_t *size)
{
    struct stat stat;
    int fd = open(path, O_RDWR);
    if (fd < 0 || fstat(fd, &stat))
        fail(path);
    *size = (size_t)stat.st_size;
    char *bytes = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED)
        fail(path);
    close(fd);
    return bytes;
}

static Elf64_Shdr *section_of(char *file, uint32_t type)
{
    Elf64_Ehdr *header = (Elf64_Ehdr *)file;
    Elf64_Shdr *sections = (Elf64_Shdr *)(file + header->e_shoff);
    for (int i = 0; i < header->e_shnum; i++)
        if (sections[i].sh_type == type)
            return &sections[i];
    return NULL;
}

static char *strings_of(char *file, const Elf64_Shdr *section)
{
    Elf64_Ehdr *header = (Elf64_Ehdr *)file;
    Elf64_Shdr *sections = (Elf64_Shdr *)(file + header->e_shoff);
    return file + sections[section->sh_link].sh_offset;
}

/* Write the names of an object's weak variables, one a line, each with a semicolon. */
static size_t list_weak_data(const char *object, FILE *script, FILE *list)
{
    size_t size, count = 0;
    char *file = map(object, &size);
    Elf64_Shdr *table = section_of(file, SHT_SYMTAB);
    char *names = strings_of(file, table);
    Elf64_Sym *symbols = (Elf64_Sym *)(file + table->sh_offset);
    for (size_t i = 0; i < table->sh_size / sizeof *symbols; i++) {
        unsigned type = ELF64_ST_TYPE(symbols[i].st_info), bind = ELF64_ST_BIND(symbols[i].st_info);
        if (symbols[i].st_shndx == SHN_UNDEF || (bind != STB_WEAK && bind != STB_GNU_UNIQUE) ||
            (type != STT_OBJECT && type != STT_TLS) ||
            ELF64_ST_VISIBILITY(symbols[i].st_other) != STV_DEFAULT)
            continue;
        fprintf(script, "  \"%s\";\n", names + symbols[i].st_name);
        fprintf(list, "  \"%s\";\n", names + symbols[i].st_name);
        count++;
    }
    munmap(file, size);
    return count;
}

static void hide_versions(char *file)
{
    Elf64_Shdr *section = section_of(file, SHT_GNU_verneed);
    if (!section)
        return;
    char *names = strings_of(file, section);
    char *at = file + section->sh_offset;
    for (uint32_t i = 0; i < section->sh_info; i++) {
        Elf64_Verneed *need = (Elf64_Verneed *)at;
        char *aux_at = at + need->vn_aux;
        for (int j = 0; j < need->vn_cnt; j++) {
            Elf64_Vernaux *aux = (Elf64_Vernaux *)aux_at;
            if (strncmp(names + need->vn_file, "kiln-", 5) == 0 && !getenv("IMAGE_LEAVE_VERSIONS"))
                aux->vna_other |= 0x8000;
            aux_at += aux->vna_next;
        }
        at += need->vn_next;
    }
}

/* lld names the symbol also where the image itself defines a thread-local that nothing can replace;
 * the loader would look it up and could find the host's. Symbol 0 means this image. */
static void bind_own_tls(char *file)
{
    Elf64_Ehdr *header = (Elf64_Ehdr *)file;
    Elf64_Shdr *sections = (Elf64_Shdr *)(file + header->e_shoff);
    Elf64_Shdr *table = section_of(file, SHT_DYNSYM);
    Elf64_Sym *symbols = (Elf64_Sym *)(file + table->sh_offset);
    for (int i = 0; i < header->e_shnum; i++) {
        Elf64_Rela *relocations = (Elf64_Rela *)(file + sections[i].sh_offset);
        size_t count =
            sections[i].sh_type == SHT_RELA ? sections[i].sh_size / sizeof *relocations : 0;
        for (size_t j = 0; j < count; j++) {
            Elf64_Sym *symbol = &symbols[ELF64_R_SYM(relocations[j].r_info)];
            if (ELF64_R_TYPE(relocations[j].r_info) == R_X86_64_DTPMOD64 &&
                symbol->st_shndx != SHN_UNDEF && ELF64_ST_BIND(symbol->st_info) == STB_GLOBAL)
                relocations[j].r_info = ELF64_R_INFO(0, R_X86_64_DTPMOD64);
        }
    }
}

static void mark_host_symbols(char *file)
{
    Elf64_Shdr *table = section_of(file, SHT_DYNSYM);
    char *names = strings_of(file, table);
    Elf64_Sym *symbols = (Elf64_Sym *)(file + table->sh_offset);
    const char *prefix = getenv("IMAGE_HOST_PREFIX");
    for (size_t i = 1; prefix && i < table->sh_size / sizeof *symbols; i++) {
        char *name = names + symbols[i].st_name;
        if (symbols[i].st_shndx == SHN_UNDEF && strncmp(name, prefix, strlen(prefix)) == 0)
            *name |= (char)0x80;
    }
    for (size_t i = 1; i < table->sh_size / sizeof *symbols; i++)
        for (size_t j = 0; j < host_count && symbols[i].st_shndx == SHN_UNDEF; j++)
            if (strcmp(names + symbols[i].st_name, hosts[j]) == 0) {
                names[symbols[i].st_name] |= (char)0x80;
                break;
            }
}

static int is_source(const char *argument)
{
    const char *dot = strrchr(argument, '.');
    return argument[0] != '-' && dot && (!strcmp(dot, ".c") || !strcmp(dot, ".cpp"));
}

static void read_arguments(int argc, char **argv)
{
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--dep") == 0 && i + 1 < argc)
            dependencies[dependency_count++] = argv[++i];
        else if (strcmp(argv[i], "--host") == 0 && i + 1 < argc)
            hosts[host_count++] = argv[++i];
        else if (is_source(argv[i]))
            sources[source_count++] = argv[i];
        else
            rest[rest_count++] = argv[i];
    }
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    const char *out = argv[1], *id = argv[2];
    read_arguments(argc, argv);
    static char *script_path, *list_path, *link[most_arguments], *objects[16];
    script_path = print("%s.script", out);
    list_path = print("%s.list", out);
    FILE *script = fopen(script_path, "w"), *list = fopen(list_path, "w");
    if (!script || !list)
        fail(script_path);
    fprintf(script, "%s { global: *; };\nKILN_SHARED {\n global:\n", id);
    fprintf(list, "{\n");
    size_t weak = 0, count = 0;
    int cxx = 0;
    for (size_t i = 0; i < source_count; i++) {
        objects[i] = print("%s.%zu.o", out, i);
        char *compile[most_arguments] = {"clang-22", "-fPIC",           "-O1", "-c", "-o",
                                         objects[i], (char *)sources[i]};
        if (strstr(sources[i], ".cpp")) {
            cxx = 1;
            if (getenv("IMAGE_CXX"))
                compile[0] = getenv("IMAGE_CXX");
        }
        for (size_t j = 0, at = 7; j < rest_count; j++)
            if (strncmp(rest[j], "-l", 2) && strncmp(rest[j], "-L", 2) &&
                strncmp(rest[j], "-Wl,", 4))
                compile[at++] = (char *)rest[j];
        run(compile);
        weak += list_weak_data(objects[i], script, list);
    }
    if (!weak) {
        fprintf(script, " kiln_none_*;\n");
        fprintf(list, " kiln_none_*;\n");
    }
    fprintf(script, "};\n");
    fprintf(list, "};\n");
    fclose(script);
    fclose(list);
    link[count++] = cxx ? "clang++-22" : "clang-22";
    link[count++] = "-shared";
    link[count++] = "--ld-path=/usr/bin/ld.lld-22";
    link[count++] = "-o";
    link[count++] = (char *)out;
    link[count++] =
        print("-Wl,-soname,%s,--version-script=%s,--dynamic-list=%s", id, script_path, list_path);
    link[count++] = "-Wl,--hash-style=gnu,--no-gnu-unique,-z,now";
    for (size_t i = 0; i < source_count; i++)
        link[count++] = objects[i];
    for (size_t i = 0; i < dependency_count; i++)
        link[count++] = (char *)dependencies[i];
    for (size_t i = 0; i < rest_count; i++)
        link[count++] = (char *)rest[i];
    link[count] = NULL;
    run(link);
    size_t size;
    char *file = map(out, &size);
    hide_versions(file);
    bind_own_tls(file);
    mark_host_symbols(file);
    munmap(file, size);
    for (size_t i = 0; i < source_count; i++)
        unlink(objects[i]);
    unlink(script_path);
    unlink(list_path);
    return 0;
}
