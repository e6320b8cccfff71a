// runtime.cpp - see runtime.h.
#include "jit/runtime.h"

#include "llvm/ADT/STLExtras.h"

#include <cstdlib>
#include <cstring>
#include <link.h>
#include <pthread.h>

extern "C" {
int __cxa_atexit(void (*)(void *), void *, void *);
int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);
void __cxa_finalize(void *);
struct tls_index {
    unsigned long module, offset;
};
void *__tls_get_addr(tls_index *);
extern void *__dso_handle;
extern char **environ;
}

namespace kiln
{

std::mutex runtime_mutex;
const jit_host *runtime_host;

namespace
{

// Within libc's list of exit handlers.
class Busy
{
  public:
    Busy()
    {
        runtime_host->exit_list_enter();
    }
    ~Busy()
    {
        runtime_host->exit_list_leave();
    }
};

// ---- the beginning of a linked object ----

int argument_count;
char **arguments;

// The loader tells constructors what main is given.
__attribute__((constructor)) void keep_arguments(int count, char **values, char **)
{
    argument_count = count;
    arguments = values;
}

// ---- the end of a linked object ----

void run_finalisers(void *data)
{
    auto *linked = static_cast<Linked *>(data);
    linked->plain_count = 0; // of those that are left
    for (void (*finaliser)() : std::exchange(linked->finalisers, {}))
        finaliser();
}

// ---- destructors of thread-locals ----

struct OwedDestructor {
    Traces *traces;
    void (*destructor)(void *);
    void *object;
};

void pay(void *data)
{
    auto *owed = static_cast<OwedDestructor *>(data);
    owed->destructor(owed->object);
    owed->traces->owed.fetch_sub(1, std::memory_order_release);
    free(owed);
}

// Takes the place of __cxa_thread_atexit (Itanium C++ ABI, "Thread-local destructors").
int thread_atexit(void (*destructor)(void *), void *object, void *dso_handle)
{
    if (!dso_handle)
        return __cxa_thread_atexit_impl(destructor, object, nullptr);
    auto *owed = static_cast<OwedDestructor *>(malloc(sizeof(OwedDestructor)));
    if (!owed)
        return -1;
    *owed = {*static_cast<Traces **>(dso_handle), destructor, object};
    owed->traces->owed.fetch_add(1, std::memory_order_relaxed);
    int failed = __cxa_thread_atexit_impl(pay, owed, &__dso_handle);
    if (failed) {
        owed->traces->owed.fetch_sub(1, std::memory_order_relaxed);
        free(owed);
    }
    return failed;
}

// ---- emulated thread-local storage ----

// What one thread has, by EmulatedTls::index - 1.
struct ThreadStorage {
    size_t count;
    void *objects[];
};

pthread_key_t storage_key;
pthread_once_t storage_once = PTHREAD_ONCE_INIT;
uintptr_t last_index; // guarded by runtime_mutex

// Destructors of other keys may still want their variables: storage goes in a later round.
constexpr size_t is_leaving = 1;

void free_storage(void *data)
{
    auto *storage = static_cast<ThreadStorage *>(data);
    if (!storage->objects[0]) {
        storage->objects[0] = reinterpret_cast<void *>(is_leaving);
        pthread_setspecific(storage_key, storage);
        return;
    }
    for (size_t i = 1; i < storage->count; i++)
        free(storage->objects[i]);
    free(storage);
}

void make_key()
{
    if (pthread_key_create(&storage_key, free_storage))
        abort();
}

[[noreturn]] void fail_of_memory()
{
    fputs("kiln: out of memory for a thread-local variable\n", stderr);
    abort();
}

uintptr_t index_of(EmulatedTls *control)
{
    uintptr_t index = __atomic_load_n(&control->index, __ATOMIC_ACQUIRE);
    if (index)
        return index;
    pthread_once(&storage_once, make_key);
    std::lock_guard lock(runtime_mutex);
    index = control->index;
    if (!index) {
        index = ++last_index;
        __atomic_store_n(&control->index, index, __ATOMIC_RELEASE);
    }
    return index;
}

ThreadStorage *storage_for(uintptr_t index)
{
    auto *storage = static_cast<ThreadStorage *>(pthread_getspecific(storage_key));
    size_t count = storage ? storage->count : 0;
    if (index < count)
        return storage;
    size_t grown = index * 2 + 16;
    auto *made = static_cast<ThreadStorage *>(
        realloc(storage, sizeof(ThreadStorage) + grown * sizeof(void *)));
    if (!made)
        fail_of_memory();
    memset(made->objects + count, 0, (grown - count) * sizeof(void *));
    made->count = grown;
    pthread_setspecific(storage_key, made);
    return made;
}

// Takes the place of __emutls_get_address (compiler-rt/lib/builtins/emutls.c).
void *emulated_tls_address(EmulatedTls *control)
{
    if (control->size == native_tls) {
        tls_index place = {control->align, control->index};
        return __tls_get_addr(&place);
    }
    uintptr_t index = index_of(control);
    void **object = &storage_for(index)->objects[index];
    if (*object)
        return *object;
    size_t align = control->align < sizeof(void *) ? sizeof(void *) : control->align;
    if (posix_memalign(object, align, control->size ? control->size : 1))
        fail_of_memory();
    if (control->initial)
        memcpy(*object, control->initial, control->size);
    else
        memset(*object, 0, control->size);
    return *object;
}

struct NativeSearch {
    const char *address;
    EmulatedTls *control;
};

int find_native(dl_phdr_info *info, size_t, void *data)
{
    auto *search = static_cast<NativeSearch *>(data);
    auto *block = static_cast<const char *>(info->dlpi_tls_data);
    for (int i = 0; block && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) &header = info->dlpi_phdr[i];
        if (header.p_type != PT_TLS || search->address < block ||
            search->address >= block + header.p_memsz)
            continue;
        search->control->align = info->dlpi_tls_modid;
        search->control->index = uintptr_t(search->address - block);
        return 1;
    }
    return 0;
}

const RuntimeSymbol symbols[] = {
    {"__emutls_get_address", reinterpret_cast<const void *>(emulated_tls_address)},
    {"__cxa_thread_atexit", reinterpret_cast<const void *>(thread_atexit)},
    {"__cxa_thread_atexit_impl", reinterpret_cast<const void *>(thread_atexit)},
};

} // namespace

bool refer_to(llvm::ArrayRef<const void *> addresses, llvm::ArrayRef<Range> ranges)
{
    return llvm::any_of(addresses, [&](const void *address) {
        return llvm::any_of(ranges, [&](const Range &range) {
            return address >= range.begin && address <= range.end;
        });
    });
}

void runtime_initialise(Linked &linked)
{
    Busy busy;
    // First, so that it comes last.
    if (!linked.finalisers.empty())
        __cxa_atexit(run_finalisers, &linked, linked.traces->handle);
    for (auto initialiser : linked.initialisers)
        initialiser(argument_count, arguments, environ);
}

void runtime_finalise(Traces &traces, llvm::ArrayRef<Linked *> linked)
{
    Busy busy;
    for (Linked *object : llvm::reverse(linked))
        while (object->is_initialised && object->plain_count) {
            void (*finaliser)() = object->finalisers.front();
            object->finalisers.erase(object->finalisers.begin());
            object->plain_count--;
            finaliser();
        }
    __cxa_finalize(traces.handle);
}

void *runtime_thread_local(void *control)
{
    return emulated_tls_address(static_cast<EmulatedTls *>(control));
}

llvm::ArrayRef<RuntimeSymbol> runtime_symbols()
{
    return symbols;
}

bool runtime_describe_native_tls(const void *address, EmulatedTls &control)
{
    NativeSearch search = {static_cast<const char *>(address), &control};
    control = {native_tls, 0, 0, nullptr};
    return dl_iterate_phdr(find_native, &search) != 0;
}

} // namespace kiln
