/* test_compiler_link.c - images: names, versions, weak data, host symbols, dependencies; other
 * outputs; bad inputs. */
#include "compiler_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const defaults[] = {"-O1", "-fPIC", NULL};

static job lead; /* one for each test */

static int begin(void **state)
{
    (void)state;
    job_begin(&zygote, &lead, &(job_options){.directory = test_directory()});
    return 0;
}

static int end(void **state)
{
    (void)state;
    job_end(&lead);
    return 0;
}

/* The object of a source text, as a descriptor that is ours. */
static int object_of(const char *name, const char *text)
{
    Kiln__Wire__CompileReply *reply =
        job_compile(&lead, write_file(name, text), "", defaults, KILN__WIRE__OUTPUT_KIND__OBJECT);
    if (!reply->ok)
        has_message(reply->diagnostics, "(nothing)");
    assert_true(reply->ok);
    int fd = lead.fds[reply->output_fd];
    kiln__wire__compile_reply__free_unpacked(reply, NULL);
    return fd;
}

/* A link under construction. */
typedef struct link_builder {
    Kiln__Wire__Link message;
    Kiln__Wire__LinkInput inputs[8], *input_list[8];
    Kiln__Wire__LinkDependency dependencies[8], *dependency_list[8];
    ProtobufCBinaryData arguments[8], host_symbols[8];
} link_builder;

static void link_init(link_builder *self, Kiln__Wire__OutputKind output, const char *image_id)
{
    memset(self, 0, sizeof *self);
    kiln__wire__link__init(&self->message);
    self->message.output = output;
    self->message.image_id = bytes_of(image_id);
    self->message.inputs = self->input_list;
    self->message.dependencies = self->dependency_list;
    self->message.arguments = self->arguments;
    self->message.host_symbols = self->host_symbols;
}

static Kiln__Wire__LinkInput *add_input(link_builder *self, const char *name)
{
    size_t i = self->message.n_inputs++;
    kiln__wire__link_input__init(&self->inputs[i]);
    self->input_list[i] = &self->inputs[i];
    self->inputs[i].name = bytes_of(name);
    return &self->inputs[i];
}

static void add_fd(link_builder *self, const char *name, int fd, bool cxx)
{
    Kiln__Wire__LinkInput *input = add_input(self, name);
    input->has_fd = true;
    input->content_fd = job_attach(&lead, fd);
    input->cxx = cxx;
}

static void add_path(link_builder *self, const char *path)
{
    add_input(self, path)->path = bytes_of(path);
}

static void add_dependency(link_builder *self, const char *image_id, int fd)
{
    size_t i = self->message.n_dependencies++;
    kiln__wire__link_dependency__init(&self->dependencies[i]);
    self->dependency_list[i] = &self->dependencies[i];
    self->dependencies[i].image_id = bytes_of(image_id);
    self->dependencies[i].has_fd = true;
    self->dependencies[i].content_fd = job_attach(&lead, fd);
}

static void add_argument(link_builder *self, const char *argument)
{
    self->arguments[self->message.n_arguments++] = bytes_of(argument);
}

static void add_host_symbol(link_builder *self, const char *name)
{
    self->host_symbols[self->message.n_host_symbols++] = bytes_of(name);
}

static Kiln__Wire__LinkReply *link_ok(link_builder *self)
{
    Kiln__Wire__LinkReply *reply = job_link(&lead, &self->message);
    if (!reply->ok)
        has_message(reply->diagnostics, "(nothing)");
    assert_true(reply->ok);
    return reply;
}

/* The image id of a library without dependencies, as a descriptor. */
static int image_of(const char *image_id, const char *name, const char *text, bool cxx)
{
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, image_id);
    add_fd(&link, name, object_of(name, text), cxx);
    Kiln__Wire__LinkReply *reply = link_ok(&link);
    int fd = lead.fds[reply->output_fd];
    kiln__wire__link_reply__free_unpacked(reply, NULL);
    return fd;
}

/* An image mapped for reading. */
typedef struct elf_view {
    const char *bytes;
    size_t size;
    const Elf64_Sym *symbols;
    size_t symbol_count;
    const char *strings;
    const Elf64_Half *versions;
    const Elf64_Verneed *needed;
    const Elf64_Verdef *defined;
} elf_view;

static elf_view view_of(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    elf_view view = {.size = (size_t)status.st_size};
    view.bytes = mmap(NULL, view.size, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_ptr_not_equal(view.bytes, MAP_FAILED);
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)view.bytes;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(view.bytes + header->e_shoff);
    for (size_t i = 0; i < header->e_shnum; i++) {
        const void *content = view.bytes + sections[i].sh_offset;
        if (sections[i].sh_type == SHT_DYNSYM) {
            view.symbols = content;
            view.symbol_count = sections[i].sh_size / sizeof(Elf64_Sym);
            view.strings = view.bytes + sections[sections[i].sh_link].sh_offset;
        } else if (sections[i].sh_type == SHT_GNU_versym) {
            view.versions = content;
        } else if (sections[i].sh_type == SHT_GNU_verneed) {
            view.needed = content;
        } else if (sections[i].sh_type == SHT_GNU_verdef) {
            view.defined = content;
        }
    }
    return view;
}

/* The name of the version of a defined dynamic symbol; NULL where there is no such symbol. */
static const char *version_of(const elf_view *view, const char *name)
{
    for (size_t i = 1; i < view->symbol_count; i++) {
        if (strcmp(view->strings + view->symbols[i].st_name, name) != 0 ||
            view->symbols[i].st_shndx == SHN_UNDEF)
            continue;
        const Elf64_Verdef *definition = view->defined;
        while (definition->vd_ndx != (view->versions[i] & 0x7fff))
            definition = (const Elf64_Verdef *)((const char *)definition + definition->vd_next);
        const Elf64_Verdaux *aux =
            (const Elf64_Verdaux *)((const char *)definition + definition->vd_aux);
        return view->strings + aux->vda_name;
    }
    return NULL;
}

static const Elf64_Sym *undefined(const elf_view *view, const char *name)
{
    for (size_t i = 1; i < view->symbol_count; i++) {
        if (view->symbols[i].st_shndx == SHN_UNDEF &&
            strcmp(view->strings + view->symbols[i].st_name, name) == 0)
            return &view->symbols[i];
    }
    return NULL;
}

static const char shapes[] = "int strong_data = 1;\n"
                             "__attribute__((weak)) int weak_data = 2;\n"
                             "__attribute__((weak)) int weak_function(void) { return 3; }\n"
                             "__attribute__((weak)) _Thread_local int weak_thread_local = 4;\n"
                             "int strong_function(void) { return strong_data + weak_function(); }\n"
                             "__attribute__((visibility(\"hidden\"), weak)) int hidden_data = 5;\n"
                             "int *use(void) { return &hidden_data; }\n";

static void weak_data_alone_is_shared(void **state)
{
    (void)state;
    elf_view view = view_of(image_of("kiln-aa", "shapes.c", shapes, false));
    assert_string_equal(version_of(&view, "strong_data"), "kiln-aa");
    assert_string_equal(version_of(&view, "strong_function"), "kiln-aa");
    assert_string_equal(version_of(&view, "weak_function"), "kiln-aa");
    assert_string_equal(version_of(&view, "weak_data"), "KILN_SHARED");
    assert_string_equal(version_of(&view, "weak_thread_local"), "KILN_SHARED");
    assert_null(version_of(&view, "hidden_data"));
}

static void type_information_is_shared(void **state)
{
    (void)state;
    elf_view view = view_of(image_of("kiln-aa", "types.cpp",
                                     "struct Base { virtual ~Base() {} };\n"
                                     "struct Derived : Base {};\n"
                                     "inline int counter = 7;\n"
                                     "inline int &local() { static int n = counter; return n; }\n"
                                     "Base *make() { local()++; return new Derived; }\n",
                                     true));
    static const char *const names[] = {"_ZTI4Base", "_ZTS4Base",     "_ZTV7Derived",
                                        "counter",   "_ZZ5localvE1n", "_ZGVZ5localvE1n"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_string_equal(version_of(&view, names[i]), "KILN_SHARED");
    assert_string_equal(version_of(&view, "_Z4makev"), "kiln-aa");
}

/* Weak data that comes from a member of a -l archive is known only after the link. */
static void weak_data_of_archives_is_found(void **state)
{
    (void)state;
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__ARCHIVE, "");
    add_fd(&link, "part.o",
           object_of("part.c", "__attribute__((weak)) int from_archive = 1;\n"
                               "int part(void) { return from_archive; }\n"),
           false);
    Kiln__Wire__LinkReply *archive = link_ok(&link);
    char bytes[65536];
    ssize_t size = pread(lead.fds[archive->output_fd], bytes, sizeof bytes, 0);
    assert_int_equal(size, archive->output_size);
    write_bytes("libpart.a", bytes, (size_t)size);
    kiln__wire__link_reply__free_unpacked(archive, NULL);

    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-bb");
    add_fd(&link, "main.o",
           object_of("main.c", "int part(void);\nint f(void) { return part(); }\n"), false);
    add_argument(&link, "-Labsent");
    add_argument(&link, "-L.");
    add_argument(&link, "-lpart");
    Kiln__Wire__LinkReply *reply = link_ok(&link);
    elf_view view = view_of(lead.fds[reply->output_fd]);
    assert_string_equal(version_of(&view, "from_archive"), "KILN_SHARED");
    /* The archive was read; a shared library of that name would have won, and was looked for. */
    const Kiln__Wire__Input *input = find_input(
        reply->inputs, reply->n_inputs, in_directory("libpart.a"), KILN__WIRE__INPUT__KIND__FILE);
    assert_non_null(input);
    assert_int_equal(input->digest.len, 32);
    assert_non_null(find_input(reply->inputs, reply->n_inputs, in_directory("libpart.so"),
                               KILN__WIRE__INPUT__KIND__ABSENT));
    assert_non_null(find_input(reply->inputs, reply->n_inputs, in_directory("absent/libpart.so"),
                               KILN__WIRE__INPUT__KIND__ABSENT));
    kiln__wire__link_reply__free_unpacked(reply, NULL);
}

static void system_files_are_inputs(void **state)
{
    (void)state;
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-cc");
    add_fd(&link, "a.o", object_of("a.c", "int f(void) { return 1; }\n"), false);
    Kiln__Wire__LinkReply *reply = link_ok(&link);
    static const char *const names[] = {"/crti.o", "/crtbeginS.o", "/libc.so", "/libc.so.6",
                                        "/libgcc.a"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool found = false;
        for (size_t j = 0; j < reply->n_inputs; j++) {
            const Kiln__Wire__Input *input = reply->inputs[j];
            size_t length = strlen(names[i]);
            found |= input->kind == KILN__WIRE__INPUT__KIND__FILE && input->path.len > length &&
                     memcmp(input->path.data + input->path.len - length, names[i], length) == 0 &&
                     input->digest.len == 32;
        }
        if (!found)
            print_message("%s is not among the inputs\n", names[i]);
        assert_true(found);
    }
    kiln__wire__link_reply__free_unpacked(reply, NULL);
}

static void references_to_dependencies_are_hidden_versions(void **state)
{
    (void)state;
    int base = image_of("kiln-base", "base.c",
                        "int base_data = 5;\nint base(void) { return base_data; }\n", false);
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-top");
    add_fd(&link, "top.o",
           object_of("top.c", "int base(void);\nextern int base_data;\nint puts(const char *);\n"
                              "int top(void) { return puts(\"\") + base() + base_data; }\n"),
           false);
    add_dependency(&link, "kiln-base", base);
    Kiln__Wire__LinkReply *reply = link_ok(&link);
    elf_view view = view_of(lead.fds[reply->output_fd]);
    size_t hidden = 0, plain = 0;
    for (const Elf64_Verneed *need = view.needed;;
         need = (const Elf64_Verneed *)((const char *)need + need->vn_next)) {
        const Elf64_Vernaux *version = (const Elf64_Vernaux *)((const char *)need + need->vn_aux);
        bool is_base = strcmp(view.strings + need->vn_file, "kiln-base") == 0;
        for (unsigned i = 0; i < need->vn_cnt; i++) {
            assert_int_equal((version->vna_other & 0x8000) != 0, is_base);
            hidden += is_base;
            plain += !is_base;
            version = (const Elf64_Vernaux *)((const char *)version + version->vna_next);
        }
        if (need->vn_next == 0)
            break;
    }
    assert_int_equal(hidden, 1);
    assert_true(plain > 0);
    for (size_t i = 1; i < view.symbol_count; i++) {
        bool is_base = strcmp(view.strings + view.symbols[i].st_name, "base") == 0;
        assert_true(!is_base || (view.versions[i] & 0x8000) != 0);
    }
    kiln__wire__link_reply__free_unpacked(reply, NULL);
}

/* It is to be installed: an image of the cache would be found nowhere. */
static void shared_libraries_name_no_dependency(void **state)
{
    (void)state;
    int base = image_of("kiln-base", "base.c", "int base(void) { return 5; }\n", false);
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__SHARED_LIBRARY, "");
    add_fd(&link, "top.o",
           object_of("top.c", "int base(void);\nint top(void) { return base() + 1; }\n"), false);
    add_dependency(&link, "kiln-base", base);
    Kiln__Wire__LinkReply *reply = link_ok(&link);
    elf_view view = view_of(lead.fds[reply->output_fd]);
    assert_null(memmem(view.bytes, view.size, "kiln-base", 9));
    /* Whoever links both finds it. */
    link_init(&link, KILN__WIRE__OUTPUT_KIND__SHARED_LIBRARY, "");
    add_fd(&link, "base.o", object_of("base.c", "int base(void) { return 5; }\n"), false);
    Kiln__Wire__LinkReply *other = link_ok(&link);
    void *dependency = dlopen(fd_path(lead.fds[other->output_fd]), RTLD_NOW | RTLD_GLOBAL);
    void *library = dlopen(fd_path(lead.fds[reply->output_fd]), RTLD_NOW);
    assert_non_null(dependency);
    assert_non_null(library);
    assert_int_equal(((int (*)(void))dlsym(library, "top"))(), 6);
    dlclose(library);
    dlclose(dependency);
    kiln__wire__link_reply__free_unpacked(other, NULL);
    kiln__wire__link_reply__free_unpacked(reply, NULL);
}

static void host_symbols_are_marked(void **state)
{
    (void)state;
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-host");
    add_fd(&link, "host.o",
           object_of("host.c", "int lent(void), other(void), puts(const char *), own(void);\n"
                               "extern int lent_data;\n"
                               "__attribute__((weak)) int maybe(void);\n"
                               "int own(void) { return 1; }\n"
                               "int f(void) { return lent() + other() + puts(\"\") + own() + "
                               "lent_data + (maybe ? maybe() : 0); }\n"),
           false);
    static const char *const names[] = {"lent", "lent_data", "maybe", "own", "puts", "unused"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        add_host_symbol(&link, names[i]);
    Kiln__Wire__LinkReply *reply = link_ok(&link);
    /* Own definitions and those of shared libraries win; what nobody refers to is not used. */
    assert_int_equal(reply->n_used_host_symbols, 3);
    assert_true(bytes_are(reply->used_host_symbols[0], "lent"));
    assert_true(bytes_are(reply->used_host_symbols[1], "lent_data"));
    assert_true(bytes_are(reply->used_host_symbols[2], "maybe"));
    elf_view view = view_of(lead.fds[reply->output_fd]);
    assert_null(undefined(&view, "lent"));
    assert_non_null(undefined(&view, "\xec"
                                     "ent"));
    assert_non_null(undefined(&view, "\xec"
                                     "ent_data"));
    assert_non_null(undefined(&view, "\xed"
                                     "aybe"));
    assert_non_null(undefined(&view, "other"));
    assert_non_null(undefined(&view, "puts"));
    kiln__wire__link_reply__free_unpacked(reply, NULL);
}

/* A shared library without versions defines the symbol: it wins over the host's, which the
 * versions alone do not tell. */
static void unversioned_libraries_win_over_host_symbols(void **state)
{
    (void)state;
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__SHARED_LIBRARY, "");
    add_fd(&link, "plain.o", object_of("plain.c", "int lent(void) { return 1; }\n"), false);
    add_argument(&link, "-Wl,-soname,libplain.so");
    Kiln__Wire__LinkReply *library = link_ok(&link);
    char bytes[65536];
    ssize_t size = pread(lead.fds[library->output_fd], bytes, sizeof bytes, 0);
    assert_int_equal(size, library->output_size);
    const char *path = write_bytes("libplain.so", bytes, (size_t)size);
    kiln__wire__link_reply__free_unpacked(library, NULL);

    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-host");
    add_fd(
        &link, "user.o",
        object_of("user.c", "int lent(void), far(void);\nint f(void) { return lent() + far(); }\n"),
        false);
    add_path(&link, path);
    add_host_symbol(&link, "lent");
    add_host_symbol(&link, "far");
    Kiln__Wire__LinkReply *reply = link_ok(&link);
    assert_int_equal(reply->n_used_host_symbols, 1);
    assert_true(bytes_are(reply->used_host_symbols[0], "far"));
    kiln__wire__link_reply__free_unpacked(reply, NULL);
}

static void the_symbol_table_lists_what_is_exported(void **state)
{
    (void)state;
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-table");
    add_fd(&link, "table.o",
           object_of("table.cpp",
                     "namespace ns { int function(int x) { return x; } }\n"
                     "int data[4];\nthread_local int local = 1;\n"
                     "static int internal() { return 1; }\n"
                     "extern \"C\" __attribute__((weak)) int weak() { return internal(); }\n"),
           true);
    Kiln__Wire__LinkReply *reply = link_ok(&link);
    Kiln__Wire__SymbolTable *table =
        kiln__wire__symbol_table__unpack(NULL, reply->symbol_table.len, reply->symbol_table.data);
    assert_non_null(table);
    assert_int_equal(table->n_symbols, reply->symbol_count);
    /* Sorted: the thread-local's wrapper functions stand between. */
    for (size_t i = 1; i < table->n_symbols; i++) {
        ProtobufCBinaryData a = table->symbols[i - 1]->name, b = table->symbols[i]->name;
        assert_true(strcmp(strndupa((char *)a.data, a.len), strndupa((char *)b.data, b.len)) < 0);
    }
    size_t seen = 0;
    for (size_t i = 0; i < table->n_symbols; i++) {
        const Kiln__Wire__Symbol *symbol = table->symbols[i];
        assert_false(bytes_contain(symbol->name, "internal"));
        if (bytes_are(symbol->name, "_ZN2ns8functionEi")) {
            assert_true(bytes_are(symbol->demangled, "ns::function(int)"));
            assert_int_equal(symbol->kind, 0);
            seen++;
        } else if (bytes_are(symbol->name, "data")) {
            assert_int_equal(symbol->demangled.len, 0);
            assert_int_equal(symbol->kind, 1);
            assert_int_equal(symbol->size, 16);
            assert_false(symbol->weak);
            seen++;
        } else if (bytes_are(symbol->name, "local")) {
            assert_int_equal(symbol->kind, 2);
            seen++;
        } else if (bytes_are(symbol->name, "weak")) {
            assert_true(symbol->weak);
            seen++;
        }
    }
    assert_int_equal(seen, 4);
    kiln__wire__symbol_table__free_unpacked(table, NULL);
    kiln__wire__link_reply__free_unpacked(reply, NULL);
}

/* Weak data of a member that stays outside is no error. */
static void unused_members_do_not_matter(void **state)
{
    (void)state;
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__ARCHIVE, "");
    add_fd(&link, "in.o", object_of("in.c", "int in(void) { return 1; }\n"), false);
    add_fd(&link, "out.o", object_of("out.c", "__attribute__((weak)) int weak_outside = 1;\n"),
           false);
    Kiln__Wire__LinkReply *archive = link_ok(&link);
    int fd = lead.fds[archive->output_fd];
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-members");
    add_fd(&link, "main.o", object_of("main.c", "int in(void);\nint f(void) { return in(); }\n"),
           false);
    add_fd(&link, "libmembers.a", fd, false);
    Kiln__Wire__LinkReply *reply = link_ok(&link);
    elf_view view = view_of(lead.fds[reply->output_fd]);
    assert_non_null(version_of(&view, "in"));
    assert_null(version_of(&view, "weak_outside"));
    kiln__wire__link_reply__free_unpacked(archive, NULL);
    kiln__wire__link_reply__free_unpacked(reply, NULL);
}

static bool holds(int fd, const char *text)
{
    char bytes[16384];
    ssize_t size = pread(fd, bytes, sizeof bytes, 0);
    return size > 0 && memmem(bytes, (size_t)size, text, strlen(text)) != NULL;
}

/* Not by the cache's names of the objects; and nothing that is extracted replaces a source. */
static void members_are_named_by_their_sources(void **state)
{
    (void)state;
    int fd = object_of("one.c", "int one(void) { return 1; }\n");
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__ARCHIVE, "");
    add_fd(&link, "src/one.c", fd, false);
    add_fd(&link, "two.o", object_of("two.c", "int two(void) { return 2; }\n"), false);
    char object[16384];
    ssize_t size = pread(fd, object, sizeof object, 0);
    add_input(&link, "src/three.cpp")->path =
        bytes_of(write_bytes("0123456789abcdef.o", object, (size_t)size));
    Kiln__Wire__LinkReply *reply = link_ok(&link);
    int archive = lead.fds[reply->output_fd];
    assert_true(holds(archive, "one.c.o/ "));
    assert_true(holds(archive, "two.o/ "));
    assert_true(holds(archive, "three.cpp.o/ "));
    assert_false(holds(archive, "0123456789abcdef.o"));
    kiln__wire__link_reply__free_unpacked(reply, NULL);
}

static void archives_alone_are_taken_whole(void **state)
{
    (void)state;
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__ARCHIVE, "");
    add_fd(&link, "dir/one.o", object_of("one.c", "int one(void) { return 1; }\n"), false);
    add_fd(&link, "two.o", object_of("two.c", "int two(void) { return 2; }\n"), false);
    Kiln__Wire__LinkReply *archive = link_ok(&link);
    int fd = lead.fds[archive->output_fd];
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-whole");
    add_fd(&link, "libboth.a", fd, false);
    Kiln__Wire__LinkReply *reply = link_ok(&link);
    assert_int_equal(reply->symbol_count, 2);
    kiln__wire__link_reply__free_unpacked(reply, NULL);

    link_init(&link, KILN__WIRE__OUTPUT_KIND__OBJECT, "");
    add_fd(&link, "libboth.a", fd, false);
    reply = link_ok(&link);
    fd = lead.fds[reply->output_fd];
    kiln__wire__link_reply__free_unpacked(reply, NULL);
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-merged");
    add_fd(&link, "both.o", fd, false);
    reply = link_ok(&link);
    assert_int_equal(reply->symbol_count, 2);
    kiln__wire__link_reply__free_unpacked(archive, NULL);
    kiln__wire__link_reply__free_unpacked(reply, NULL);
}

static void objects_and_bitcode_merge(void **state)
{
    (void)state;
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__OBJECT, "");
    add_fd(&link, "one.o",
           object_of("one.c", "int two(void);\nint one(void) { return two() + 1; }\n"), false);
    add_fd(&link, "two.o", object_of("two.c", "int two(void) { return 2; }\n"), false);
    Kiln__Wire__LinkReply *merged = link_ok(&link);
    int fd = lead.fds[merged->output_fd];
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-merged");
    add_fd(&link, "merged.o", fd, false);
    Kiln__Wire__LinkReply *reply = link_ok(&link);
    void *image = dlopen(fd_path(lead.fds[reply->output_fd]), RTLD_NOW);
    assert_non_null(image);
    assert_int_equal(((int (*)(void))dlsym(image, "one"))(), 3);
    dlclose(image);
    kiln__wire__link_reply__free_unpacked(merged, NULL);
    kiln__wire__link_reply__free_unpacked(reply, NULL);

    int modules[2];
    for (int i = 0; i < 2; i++) {
        Kiln__Wire__CompileReply *module =
            job_compile(&lead, in_directory(i ? "two.c" : "one.c"), "", defaults,
                        KILN__WIRE__OUTPUT_KIND__BITCODE);
        assert_true(module->ok);
        modules[i] = lead.fds[module->output_fd];
        kiln__wire__compile_reply__free_unpacked(module, NULL);
    }
    link_init(&link, KILN__WIRE__OUTPUT_KIND__BITCODE, "");
    add_fd(&link, "one.bc", modules[0], false);
    add_fd(&link, "two.bc", modules[1], false);
    reply = link_ok(&link);
    char magic[4];
    assert_int_equal(pread(lead.fds[reply->output_fd], magic, 4, 0), 4);
    assert_memory_equal(magic, "BC\xc0\xde", 4);
    kiln__wire__link_reply__free_unpacked(reply, NULL);
}

static void fails_with(link_builder *link, const char *text)
{
    Kiln__Wire__LinkReply *reply = job_link(&lead, &link->message);
    assert_false(reply->ok);
    assert_false(reply->has_output);
    assert_true(has_message(reply->diagnostics, text));
    kiln__wire__link_reply__free_unpacked(reply, NULL);
}

static int memfd_of(const void *bytes, size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_int_equal(write(fd, bytes, size), size);
    return fd; /* open until the process ends */
}

static void bad_inputs_are_named(void **state)
{
    (void)state;
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-bad");
    add_fd(&link, "garbage.o", memfd_of("not an object at all", 20), false);
    fails_with(&link, "'garbage.o' is no object file, archive or shared library");

    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-bad");
    add_fd(&link, "garbage.a", memfd_of("\x03\x01 not an archive", 16), false);
    fails_with(&link, "'garbage.a' is no object file, archive or shared library");

    int object = object_of("good.c", "int good(void) { return 1; }\n");
    char bytes[16384];
    ssize_t size = pread(object, bytes, sizeof bytes, 0);
    assert_true(size > 300 && size < (ssize_t)sizeof bytes);
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-bad");
    add_fd(&link, "cut.o", memfd_of(bytes, (size_t)size / 2), false);
    fails_with(&link, "cut.o");

    bytes[18] = (char)183; /* e_machine: AArch64 */
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-bad");
    add_fd(&link, "arm.o", memfd_of(bytes, (size_t)size), false);
    fails_with(&link, "arm.o is incompatible with");

    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-bad");
    add_fd(&link, "lib.a", memfd_of("!<arch>\ngarbage", 15), false);
    fails_with(&link, "lib.a");

    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-bad");
    add_path(&link, in_directory("missing.o"));
    fails_with(&link, "missing.o");

    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-bad");
    add_fd(&link, "a.o", object, false);
    add_argument(&link, "-lnosuchlibrary");
    fails_with(&link, "unable to find library -lnosuchlibrary");

    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-bad");
    add_fd(&link, "same.o", object, false);
    add_fd(&link, "same.o", object, false);
    fails_with(&link, ">>> defined at good.c\n>>>            same.o:(good)");

    link_init(&link, KILN__WIRE__OUTPUT_KIND__ARCHIVE, "");
    add_fd(&link, "text.o", memfd_of("plain text", 10), false);
    fails_with(&link, "text.o");

    link_init(&link, KILN__WIRE__OUTPUT_KIND__BITCODE, "");
    add_fd(&link, "text.bc", memfd_of("plain text", 10), false);
    fails_with(&link, "text.bc");

    link_init(&link, KILN__WIRE__OUTPUT_KIND__BITCODE, "");
    add_fd(&link, "object.o", object, false);
    fails_with(&link, "'object.o' is no LLVM code, so it cannot be merged into bitcode");

    /* The same job still links. */
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-good");
    add_fd(&link, "good.o", object, false);
    kiln__wire__link_reply__free_unpacked(link_ok(&link), NULL);
}

/* Archives and shared libraries may be texts: libm.a and libc.so are. */
static void linker_scripts_are_no_garbage(void **state)
{
    (void)state;
    int object = object_of("member.c", "int member(void) { return 1; }\n");
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-script");
    add_fd(&link, "member.o", object, false);
    add_fd(&link, "script.so", memfd_of("/* GNU ld script */\n", 20), false);
    kiln__wire__link_reply__free_unpacked(link_ok(&link), NULL);
}

/* --verbose once made every file that LLD reads an error. */
static void what_the_linker_tells_is_no_error(void **state)
{
    (void)state;
    link_builder link;
    link_init(&link, KILN__WIRE__OUTPUT_KIND__IMAGE, "kiln-verbose");
    add_fd(&link, "told.o", object_of("told.c", "int told(void) { return 1; }\n"), false);
    add_argument(&link, "-Wl,--verbose");
    Kiln__Wire__LinkReply *reply = link_ok(&link);
    assert_true(has_message(reply->diagnostics, "told.o"));
    kiln__wire__link_reply__free_unpacked(reply, NULL);
}

static void images_carry_a_build_id(void **state)
{
    (void)state;
    int fd = image_of("kiln-id", "id.c", "int f(void) { return 1; }\n", false);
    elf_view view = view_of(fd);
    assert_non_null(memmem(view.bytes, view.size, "\4\0\0\0\24\0\0\0\3\0\0\0GNU", 16));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(weak_data_alone_is_shared, begin, end),
        cmocka_unit_test_setup_teardown(type_information_is_shared, begin, end),
        cmocka_unit_test_setup_teardown(weak_data_of_archives_is_found, begin, end),
        cmocka_unit_test_setup_teardown(system_files_are_inputs, begin, end),
        cmocka_unit_test_setup_teardown(references_to_dependencies_are_hidden_versions, begin, end),
        cmocka_unit_test_setup_teardown(shared_libraries_name_no_dependency, begin, end),
        cmocka_unit_test_setup_teardown(host_symbols_are_marked, begin, end),
        cmocka_unit_test_setup_teardown(unversioned_libraries_win_over_host_symbols, begin, end),
        cmocka_unit_test_setup_teardown(the_symbol_table_lists_what_is_exported, begin, end),
        cmocka_unit_test_setup_teardown(unused_members_do_not_matter, begin, end),
        cmocka_unit_test_setup_teardown(members_are_named_by_their_sources, begin, end),
        cmocka_unit_test_setup_teardown(archives_alone_are_taken_whole, begin, end),
        cmocka_unit_test_setup_teardown(objects_and_bitcode_merge, begin, end),
        cmocka_unit_test_setup_teardown(bad_inputs_are_named, begin, end),
        cmocka_unit_test_setup_teardown(linker_scripts_are_no_garbage, begin, end),
        cmocka_unit_test_setup_teardown(what_the_linker_tells_is_no_error, begin, end),
        cmocka_unit_test_setup_teardown(images_carry_a_build_id, begin, end),
    };
    return cmocka_run_group_tests(tests, start_zygote, stop_zygote);
}
