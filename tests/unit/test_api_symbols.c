/* test_api_symbols.c - symbols by their linker's and by their C++ names: which is meant, which are
 * ambiguous, and how they are listed.
 *
 * The library is an image without code, written here, whose symbols stand for made-up addresses. */
#include "test_base_fixture.h"

#include "api/cxx_names.h"
#include "api/session.h"
#include "load/elf_writer.h"
#include "wire.pb-c.h"

typedef struct known {
    const char *name, *demangled; /* as LLVM prints it */
    kiln_symbol_kind kind;
} known;

#define FUNCTION KILN_SYMBOL_FUNCTION
#define DATA KILN_SYMBOL_DATA

/* Sorted by name, as the linking side does. */
static const known symbols[] = {
    {"_Z1tIdEiT_", "int t<double>(double)", FUNCTION},
    {"_Z1tIiEiT_", "int t<int>(int)", FUNCTION},
    {"_Z2cbPFviE", "cb(void (*)(int))", FUNCTION},
    {"_Z3addIiiEDTplfp_fp0_ET_T0_", "decltype(fp + fp0) add<int, int>(int, int)", FUNCTION},
    {"_Z3strB5cxx11v", "str[abi:cxx11]()", FUNCTION},
    {"_Z4joinNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEERKS4_",
     "join(std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char>>, "
     "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char>> const&)",
     FUNCTION},
    {"_Z4makeIiESt6vectorIT_SaIS1_EEv", "std::vector<int, std::allocator<int>> make<int>()",
     FUNCTION},
    {"_Z5allocIiEPT_m", "int* alloc<int>(unsigned long)", FUNCTION},
    {"_ZGVZ4oncevE1x", "guard variable for once()::x", DATA},
    {"_ZN1D1hEv", "D::h()", FUNCTION},
    {"_ZN1SC1Ev", "S::S()", FUNCTION},
    {"_ZN1SC2Ev", "S::S()", FUNCTION},
    {"_ZN1SD0Ev", "S::~S()", FUNCTION},
    {"_ZN1SD1Ev", "S::~S()", FUNCTION},
    {"_ZN1SD2Ev", "S::~S()", FUNCTION},
    {"_ZN1SclEi", "S::operator()(int)", FUNCTION},
    {"_ZN1ScviEv", "S::operator int()", FUNCTION},
    {"_ZN1S3getEv", "S::get()", FUNCTION},
    {"_ZN1S5countE", "S::count", DATA},
    {"_ZN2ns1fEd", "ns::f(double)", FUNCTION},
    {"_ZN2ns1fEi", "ns::f(int)", FUNCTION},
    {"_ZN2ns1gEjRKi", "ns::g(unsigned int, int const&)", FUNCTION},
    {"_ZN2nsltERK1SS2_", "ns::operator<(S const&, S const&)", FUNCTION},
    {"_ZNK1S3getEv", "S::get() const", FUNCTION},
    {"_ZNSt6vectorIiSaIiEE4sizeEv", "std::vector<int, std::allocator<int>>::size()", FUNCTION},
    {"_ZTH3tls", "thread-local initialization routine for tls", FUNCTION},
    {"_ZTI1S", "typeinfo for S", DATA},
    {"_ZTV1S", "vtable for S", DATA},
    {"_ZThn8_N1D1hEv", "non-virtual thunk to D::h()", FUNCTION},
    {"_ZZ1fvENKUliE_clEi", "f()::'lambda'(int)::operator()(int) const", FUNCTION},
    {"_ZZ4oncevE1x", "once()::x", DATA},
    {"_Z1uI2C1EvT_", "void u<C1>(C1)", FUNCTION},
    {"_Z1uI2C2EvT_", "void u<C2>(C2)", FUNCTION},
    {"_ZlsI1SERSoS1_RKT_", "std::ostream& operator<<<S>(std::ostream&, S const&)", FUNCTION},
    {"plain", "plain", FUNCTION},
    {"variable", "variable", DATA},
};

enum { symbol_count = sizeof symbols / sizeof *symbols };

static uint64_t address_of(size_t index)
{
    return 0x10000 + 16 * index;
}

static struct fixture {
    kiln_session session;
    kiln_library library;
    int fd;
} fixture;

/* The packed table of what the image defines. */
static void make_table(image *image)
{
    Kiln__Wire__SymbolTable table = KILN__WIRE__SYMBOL_TABLE__INIT;
    Kiln__Wire__Symbol items[symbol_count], *pointers[symbol_count];
    for (size_t i = 0; i < symbol_count; i++) {
        kiln__wire__symbol__init(&items[i]);
        items[i].name.data = (uint8_t *)symbols[i].name;
        items[i].name.len = strlen(symbols[i].name);
        if (strcmp(symbols[i].name, symbols[i].demangled) != 0) {
            items[i].demangled.data = (uint8_t *)symbols[i].demangled;
            items[i].demangled.len = strlen(symbols[i].demangled);
        }
        items[i].kind = symbols[i].kind;
        items[i].size = i;
        items[i].weak = i % 2;
        pointers[i] = &items[i];
    }
    table.symbols = pointers;
    table.n_symbols = symbol_count;
    image->symbol_table_size = kiln__wire__symbol_table__get_packed_size(&table);
    image->symbol_table = malloc(image->symbol_table_size);
    kiln__wire__symbol_table__pack(&table, image->symbol_table);
}

static int setup(void **state)
{
    (void)state;
    elf_address addresses[symbol_count];
    for (size_t i = 0; i < symbol_count; i++)
        addresses[i] = (elf_address){.name = symbols[i].name, .value = address_of(i)};
    elf_description description = {
        .soname = "kiln-test", .addresses = addresses, .address_count = symbol_count};
    uint8_t *bytes;
    size_t size;
    digest key = {0};
    kiln_error *error = NULL;
    assert_int_equal(elf_write(&description, &bytes, &size), 0);
    fixture.fd = os_memfd_with("image", bytes, size, true);
    free(bytes);
    fixture.library.session = &fixture.session;
    fixture.library.image = image_create("lib", &key);
    pthread_mutex_init(&fixture.library.symbols_mutex, NULL);
    make_table(fixture.library.image);
    load_image image = {.name = "lib", .id = "kiln-test", .fd = fixture.fd};
    load_request request = {.images = &image, .count = 1};
    CHECK_OK(load_open(&request, &fixture.library.loaded, &error), error);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(load_close(fixture.library.loaded), KILN_OK);
    symbol_index_destroy(fixture.library.symbols);
    image_release(fixture.library.image);
    close(fixture.fd);
    return 0;
}

/* The symbol that stands at an address. */
static const char *name_at(const void *address)
{
    uint64_t value = (uint64_t)(uintptr_t)address;
    size_t index = (value - address_of(0)) / 16;
    return value >= address_of(0) && index < symbol_count ? symbols[index].name : "(none)";
}

static void check_function(const char *asked, const char *expected)
{
    kiln_error *error = NULL;
    kiln_function function = kiln_library_function(&fixture.library, asked, &error);
    if (!function)
        fail_msg("%s: %s", asked, kiln_error_message(error));
    assert_string_equal(name_at((void *)(uintptr_t)function), expected);
}

static void check_data(const char *asked, const char *expected)
{
    kiln_error *error = NULL;
    void *data = kiln_library_data(&fixture.library, asked, &error);
    if (!data)
        fail_msg("%s: %s", asked, kiln_error_message(error));
    assert_string_equal(name_at(data), expected);
}

static void check_no_function(const char *asked, kiln_status code, const char *part)
{
    kiln_error *error = NULL;
    assert_null(kiln_library_function(&fixture.library, asked, &error));
    check_error(error, code, part);
    assert_null(kiln_library_function(&fixture.library, asked, NULL));
}

static void check_no_data(const char *asked, kiln_status code, const char *part)
{
    kiln_error *error = NULL;
    assert_null(kiln_library_data(&fixture.library, asked, &error));
    check_error(error, code, part);
}

static void test_linkers_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < symbol_count; i++)
        check_function(symbols[i].name, symbols[i].name);
    check_data("variable", "variable");
}

/* Every function is found by the name that the listing shows, if it is the only one of that name.
 */
static void test_full_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < symbol_count; i++) {
        if (strstr(symbols[i].name, "SC") || strstr(symbols[i].name, "SD"))
            continue;
        if (symbols[i].kind == FUNCTION)
            check_function(symbols[i].demangled, symbols[i].name);
        else
            check_data(symbols[i].demangled, symbols[i].name);
    }
}

static void test_names_without_parameters(void **state)
{
    (void)state;
    check_function("ns::g", "_ZN2ns1gEjRKi");
    check_function("cb", "_Z2cbPFviE");
    check_function("D::h", "_ZN1D1hEv");
    check_function("str[abi:cxx11]", "_Z3strB5cxx11v");
    check_function("str", "_Z3strB5cxx11v");
    check_function("str()", "_Z3strB5cxx11v");
    check_function("str(void)", "_Z3strB5cxx11v");
    check_function("::ns::g", "_ZN2ns1gEjRKi");
    check_function("join(std::string, std::string const&)",
                   "_Z4joinNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEERKS4_");
    check_function("std::vector<int, std::allocator<int>>::size", "_ZNSt6vectorIiSaIiEE4sizeEv");
}

static void test_blanks_mean_nothing(void **state)
{
    (void)state;
    check_function("ns::g(unsigned int,int const&)", "_ZN2ns1gEjRKi");
    check_function(" ns::g( unsigned int , int const & ) ", "_ZN2ns1gEjRKi");
    check_function("cb( void(*)(int) )", "_Z2cbPFviE");
    check_function("std::vector<int,std::allocator<int> >::size()", "_ZNSt6vectorIiSaIiEE4sizeEv");
    check_no_function("ns::g(unsignedint,int const&)", KILN_NOT_FOUND, "defines no function");
}

static void test_results_of_template_instances(void **state)
{
    (void)state;
    check_function("t<int>(int)", "_Z1tIiEiT_");
    check_function("t<double>", "_Z1tIdEiT_");
    check_function("int t<double>(double)", "_Z1tIdEiT_");
    check_function("make<int>()", "_Z4makeIiESt6vectorIT_SaIS1_EEv");
    check_function("make<int>", "_Z4makeIiESt6vectorIT_SaIS1_EEv");
    check_function("make", "_Z4makeIiESt6vectorIT_SaIS1_EEv");
    check_function("alloc<int>", "_Z5allocIiEPT_m");
    check_function("alloc", "_Z5allocIiEPT_m");
    check_function("add<int,int>(int,int)", "_Z3addIiiEDTplfp_fp0_ET_T0_");
    check_function("add", "_Z3addIiiEDTplfp_fp0_ET_T0_");
}

static void test_operators(void **state)
{
    (void)state;
    check_function("S::operator()", "_ZN1SclEi");
    check_function("S::operator()(int)", "_ZN1SclEi");
    check_function("S::operator int", "_ZN1ScviEv");
    check_function("ns::operator<", "_ZN2nsltERK1SS2_");
    check_function("operator<< <S>", "_ZlsI1SERSoS1_RKT_");
    check_function("operator<<", "_ZlsI1SERSoS1_RKT_");
    check_no_function("operator", KILN_NOT_FOUND, "defines no function 'operator'");
}

static void test_overloads_are_ambiguous(void **state)
{
    (void)state;
    check_function("ns::f(int)", "_ZN2ns1fEi");
    check_function("ns::f(double)", "_ZN2ns1fEd");
    check_no_function("ns::f", KILN_AMBIGUOUS,
                      "'ns::f' is ambiguous in library 'lib'; it may be\n  ns::f(double)\n  "
                      "ns::f(int)");
    check_no_function("t", KILN_AMBIGUOUS, "it may be\n  int t<double>(double)\n  int t<int>(int)");
    check_no_function("S::get", KILN_AMBIGUOUS, "S::get()\n  S::get() const");
    check_function("S::get()", "_ZN1S3getEv");
    check_function("S::get() const", "_ZNK1S3getEv");
    /* Their arguments' names look like constructors, they are none. */
    check_no_function("u", KILN_AMBIGUOUS, "void u<C1>(C1)\n  void u<C2>(C2)");
}

/* Of the variants of a constructor or destructor the one for complete objects is meant. */
static void test_constructors_and_destructors(void **state)
{
    (void)state;
    check_function("S::S", "_ZN1SC1Ev");
    check_function("S::S()", "_ZN1SC1Ev");
    check_function("S::~S", "_ZN1SD1Ev");
    check_function("S::~S()", "_ZN1SD1Ev");
    assert_true(cxx_name_is_complete("_ZN1SC2Ev", "_ZN1SC1Ev"));
    assert_false(cxx_name_is_complete("_ZN1SC1Ev", "_ZN1SC2Ev"));
    assert_false(cxx_name_is_complete("_ZN1SC1Ev", "_ZN1SC1Ev"));
    assert_false(cxx_name_is_complete("_ZN1SC2Ev", "_ZN1SC1Ei"));
    assert_false(cxx_name_is_complete("", ""));
    assert_false(cxx_name_is_complete("2", "1"));
}

/* Thunks, guards and tables do not stand in the way of what they were made for. */
static void test_what_the_compiler_makes_beside(void **state)
{
    (void)state;
    check_function("D::h()", "_ZN1D1hEv");
    check_function("non-virtual thunk to D::h()", "_ZThn8_N1D1hEv");
    check_data("once()::x", "_ZZ4oncevE1x");
    check_data("guard variable for once()::x", "_ZGVZ4oncevE1x");
    check_no_data("S", KILN_NOT_FOUND, "library 'lib' defines no variable 'S'");
    check_no_function("tls", KILN_NOT_FOUND, "library 'lib' defines no function 'tls'");
    check_no_data("once", KILN_NOT_FOUND, "defines no variable 'once'");
    check_no_data("x", KILN_NOT_FOUND, "defines no variable 'x'");
}

static void test_functions_and_variables_by_cxx_name(void **state)
{
    (void)state;
    check_data("S::count", "_ZN1S5countE");
    check_no_function("S::count", KILN_NOT_FOUND, "defines no function 'S::count'");
    check_no_data("ns::g", KILN_NOT_FOUND, "defines no variable 'ns::g'");
}

static void test_names_that_are_none(void **state)
{
    (void)state;
    static const char *const names[] = {
        "nothing", "ns::",        "::", "f(",         ")", "(",         "ns::f(", "ns::f)",    "<",
        ">",       "S::operator", " ",  "ns::h(int)", "g", "(((((((((", ">>>>>>", "operator()"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_no_function(names[i], KILN_NOT_FOUND, "library 'lib' defines no function");
    check_no_function("", KILN_INVALID_ARGUMENT, "empty");
    check_no_function(NULL, KILN_INVALID_ARGUMENT, "empty");
}

static void test_listing(void **state)
{
    (void)state;
    assert_int_equal(kiln_library_symbol_count(&fixture.library), symbol_count);
    for (size_t i = 0; i < symbol_count; i++) {
        kiln_symbol symbol = {.size = sizeof symbol};
        assert_int_equal(kiln_library_symbol(&fixture.library, i, &symbol), KILN_OK);
        assert_string_equal(symbol.name, symbols[i].name);
        assert_string_equal(symbol.demangled, symbols[i].demangled);
        assert_int_equal(symbol.kind, symbols[i].kind);
        assert_int_equal(symbol.size_bytes, i);
        assert_int_equal(symbol.weak, i % 2);
        assert_int_equal((uintptr_t)symbol.address, address_of(i));
    }
    kiln_symbol symbol = {.size = sizeof symbol};
    assert_int_equal(kiln_library_symbol(&fixture.library, symbol_count, &symbol),
                     KILN_INVALID_ARGUMENT);
    symbol.size = 0;
    assert_int_equal(kiln_library_symbol(&fixture.library, 0, &symbol), KILN_INVALID_ARGUMENT);
}

/* A table that was lost or damaged costs the C++ names, not the library. */
static void test_a_damaged_table(void **state)
{
    (void)state;
    image *image = fixture.library.image;
    symbol_index_destroy(fixture.library.symbols);
    fixture.library.symbols = NULL;
    memset(image->symbol_table, 0xff, image->symbol_table_size);
    assert_int_equal(kiln_library_symbol_count(&fixture.library), 0);
    check_function("plain", "plain");
    check_no_function("ns::g", KILN_NOT_FOUND, "defines no function 'ns::g'");
    symbol_index_destroy(fixture.library.symbols);
    fixture.library.symbols = NULL;
    free(image->symbol_table);
    make_table(image);
    check_function("ns::g", "_ZN2ns1gEjRKi");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linkers_names),
        cmocka_unit_test(test_full_names),
        cmocka_unit_test(test_names_without_parameters),
        cmocka_unit_test(test_blanks_mean_nothing),
        cmocka_unit_test(test_results_of_template_instances),
        cmocka_unit_test(test_operators),
        cmocka_unit_test(test_overloads_are_ambiguous),
        cmocka_unit_test(test_constructors_and_destructors),
        cmocka_unit_test(test_what_the_compiler_makes_beside),
        cmocka_unit_test(test_functions_and_variables_by_cxx_name),
        cmocka_unit_test(test_names_that_are_none),
        cmocka_unit_test(test_listing),
        cmocka_unit_test(test_a_damaged_table),
    };
    alarm(100);
    return cmocka_run_group_tests(tests, setup, teardown);
}
