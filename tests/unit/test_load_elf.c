/* test_load_elf.c - ELF files that are written, and ELF files that are read whatever is in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load/elf_file.h"
#include "load/elf_writer.h"
#include "os/os.h"

enum { many = 5000 };

static elf_address addresses[many + 1];
static char names[many][24];

static void write_many(uint8_t **bytes, size_t *size, size_t count)
{
    static const char *const needed[] = {"libm.so.6", "libc.so.6"};
    for (size_t i = 0; i < count && i < many; i++) {
        snprintf(names[i], sizeof names[i], "symbol_%zu", i * 7919);
        addresses[i] = (elf_address){names[i], 0x1000 + i};
    }
    const elf_description description = {"libwritten.so.1", needed, 2, addresses, count};
    assert_int_equal(elf_write(&description, bytes, size), 0);
}

static void *open_bytes(const uint8_t *bytes, size_t size, int *fd)
{
    char path[64];
    *fd = os_memfd_with("written", bytes, size, true);
    assert_true(*fd >= 0);
    os_fd_path(*fd, path, sizeof path);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        fail_msg("%s", dlerror());
    return handle;
}

static void test_loader_finds_every_symbol(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 5, 6, 64, many};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint8_t *bytes;
        size_t size;
        int fd;
        write_many(&bytes, &size, counts[i]);
        void *handle = open_bytes(bytes, size, &fd);
        for (size_t j = 0; j < counts[i]; j++) {
            assert_ptr_equal(dlsym(handle, names[j]), (void *)(0x1000 + j));
            assert_ptr_equal(os_lookup(handle, names[j]), (void *)(0x1000 + j));
        }
        assert_null(os_lookup(handle, "symbol"));
        assert_null(os_lookup(handle, ""));
        dlclose(handle);
        close(fd);
        free(bytes);
    }
}

static void test_first_of_a_name_counts(void **state)
{
    (void)state;
    elf_address twice[40];
    for (int i = 0; i < 40; i++)
        twice[i] = (elf_address){i % 2 ? "odd" : "even", 100 + (uint64_t)i};
    const elf_description description = {
        .soname = "twice", .addresses = twice, .address_count = 40};
    uint8_t *bytes;
    size_t size;
    int fd;
    assert_int_equal(elf_write(&description, &bytes, &size), 0);
    void *handle = open_bytes(bytes, size, &fd);
    assert_ptr_equal(dlsym(handle, "even"), (void *)100);
    assert_ptr_equal(dlsym(handle, "odd"), (void *)101);
    dlclose(handle);
    close(fd);
    free(bytes);
}

static void test_reader_reads_what_was_written(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t size, index;
    elf_file file;
    write_many(&bytes, &size, many);
    assert_true(elf_file_view(&file, bytes, size));
    assert_true(file.is_shared);
    assert_int_equal(file.dynamic.count, many + 1);
    assert_string_equal(elf_file_dynamic_string(&file, DT_SONAME, 0), "libwritten.so.1");
    assert_string_equal(elf_file_dynamic_string(&file, DT_NEEDED, 0), "libm.so.6");
    assert_string_equal(elf_file_dynamic_string(&file, DT_NEEDED, 1), "libc.so.6");
    assert_null(elf_file_dynamic_string(&file, DT_NEEDED, 2));
    for (size_t i = 0; i < many; i++) {
        assert_true(elf_file_defines(&file, names[i], NULL, &index));
        assert_string_equal(elf_symbol_name(&file.dynamic, index), names[i]);
    }
    assert_false(elf_file_defines(&file, "other", NULL, NULL));
    free(bytes);
}

/* Tools are stricter than the loader. */
static void test_tools_accept_it(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t size;
    char path[] = "/tmp/kiln-elf-XXXXXX", command[256];
    write_many(&bytes, &size, 100);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(os_write_all(fd, bytes, size), 0);
    close(fd);
    free(bytes);
    if (system("command -v readelf >/dev/null") != 0) {
        unlink(path);
        print_message("readelf is not installed\n");
        return;
    }
    snprintf(command, sizeof command, "test -z \"$(readelf -aW -u %s 2>&1 >/dev/null)\"", path);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "readelf -lW %s | grep -q 'GNU_STACK.*RW '", path);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "test $(nm -D %s | grep -c ' A symbol_') -eq 100", path);
    assert_int_equal(system(command), 0);
    unlink(path);
}

/* ---- files that lie ---- */

/* Ask everything that can be asked. */
static size_t read_all(const void *bytes, size_t size)
{
    elf_file file;
    size_t sum = 0, index;
    const char *library;
    if (!elf_file_view(&file, bytes, size))
        return 0;
    size_t count = file.dynamic.count < 3000 ? file.dynamic.count : 3000;
    for (size_t i = 0; i < count; i++) {
        sum += strlen(elf_symbol_name(&file.dynamic, i));
        const char *version = elf_reference_version(&file, i, &library);
        sum += version ? strlen(version) : 0;
        sum += library ? strlen(library) : 0;
        sum += elf_symbol_is_writable(&file, &file.dynamic.items[i]);
    }
    for (size_t i = 0; i < 10; i++) {
        const char *needed = elf_file_dynamic_string(&file, DT_NEEDED, i);
        sum += needed ? strlen(needed) : 0;
    }
    sum += elf_file_defines(&file, "symbol_7919", NULL, &index);
    sum += elf_file_defines(&file, "malloc", "GLIBC_2.2.5", &index);
    sum += elf_file_defines(&file, "dlopen", "GLIBC_2.34", &index);
    for (size_t i = 1; i < file.all.count && i < 1000; i++)
        sum += strlen(elf_symbol_name(&file.all, i));
    return sum;
}

/* Bytes that are changed at random places, in the tables rather than in code; the seed is fixed.
 * Under a sanitizer or valgrind every read outside shows. */
static void read_mutations(const uint8_t *original, size_t size, unsigned rounds)
{
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    unsigned seed = 1;
    for (unsigned round = 0; round < rounds; round++) {
        memcpy(bytes, original, size);
        for (int i = 0; i < 1 + rand_r(&seed) % 8; i++) {
            size_t range = rand_r(&seed) % 2 ? (size < 4096 ? size : 4096) : size;
            size_t at = (size_t)rand_r(&seed) % range;
            if (rand_r(&seed) % 4 == 0)
                at = size - 1 - at % (size < 2600 ? size : 2600);
            bytes[at] = (uint8_t)rand_r(&seed);
        }
        read_all(bytes, size);
    }
    free(bytes);
}

static void test_altered_files(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t size;
    write_many(&bytes, &size, 40);
    assert_true(read_all(bytes, size) > 0);
    read_mutations(bytes, size, 20000);
    free(bytes);
}

static void test_altered_system_library(void **state)
{
    (void)state;
    Dl_info info;
    uint8_t *bytes;
    size_t size;
    assert_true(dladdr((void *)strtok_r, &info));
    assert_int_equal(os_read_file(AT_FDCWD, info.dli_fname, &bytes, &size), 0);
    assert_true(read_all(bytes, size) > 0);
    size_t index;
    elf_file file;
    assert_true(elf_file_view(&file, bytes, size));
    assert_true(elf_file_defines(&file, "dlopen", "GLIBC_2.34", &index));
    assert_true(elf_file_defines(&file, "dlopen", NULL, &index));
    assert_false(elf_file_defines(&file, "dlopen", "GLIBC_9.99", &index));
    read_mutations(bytes, size, 200);
    free(bytes);
}

static void test_truncated_files(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t size;
    write_many(&bytes, &size, 10);
    for (size_t length = 0; length < size; length++) {
        /* Of its own size, so that a read beyond it shows. */
        uint8_t *part = malloc(length ? length : 1);
        assert_non_null(part);
        memcpy(part, bytes, length);
        read_all(part, length);
        free(part);
    }
    free(bytes);
}

static void test_what_is_no_elf(void **state)
{
    (void)state;
    elf_file file;
    elf_mapping mapping;
    _Alignas(8) char text[256] = "no ELF file at all";
    assert_false(elf_file_view(&file, text, sizeof text));
    assert_false(elf_mapping_open(&mapping, "/etc/passwd", -1));
    assert_false(elf_mapping_open(&mapping, "/nonexistent", -1));
    assert_false(elf_mapping_open(&mapping, "/tmp", -1));
    assert_false(elf_mapping_open(&mapping, "/dev/null", -1));
}

int main(void)
{
    alarm(100);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loader_finds_every_symbol),
        cmocka_unit_test(test_first_of_a_name_counts),
        cmocka_unit_test(test_reader_reads_what_was_written),
        cmocka_unit_test(test_tools_accept_it),
        cmocka_unit_test(test_altered_files),
        cmocka_unit_test(test_altered_system_library),
        cmocka_unit_test(test_truncated_files),
        cmocka_unit_test(test_what_is_no_elf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
