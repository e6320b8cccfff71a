// plugin.cpp - the C seam of libkiln-jit.so: see jit_plugin.h. No LLVM type and no exception gets out.
#include "jit/engine.h"
#include "jit/failure.h"
#include "jit/refuse.h"
#include "jit/runtime.h"

#include "llvm/Support/TargetSelect.h"

#include <new>

struct jit_engine {
    std::unique_ptr<kiln::Engine> engine;
};

namespace
{

using namespace llvm;

kiln_status fail(kiln::Engine &engine, Error error, kiln_phase phase, kiln_error **out)
{
    kiln::Failure failure = kiln::read_failure(std::move(error));
    kiln_status status = engine.host().fail(out, failure.status, phase, failure.text.c_str());
    for (const std::string &name : failure.missing)
        if (out)
            engine.host().add_missing(*out, name.c_str());
    return status;
}

// Why the engine can do nothing; OK otherwise.
kiln_status check(kiln::Engine &engine, kiln_error **error)
{
    return engine.is_lost() ? engine.host().fail(error, KILN_UNSUPPORTED, KILN_PHASE_BIND,
                                                 kiln::lost_text.data())
                            : KILN_OK;
}

// ---- the functions ----

kiln_status create(const jit_config *config, jit_engine **out, kiln_error **error)
{
    static std::once_flag once;
    std::call_once(once, [config] {
        static const jit_host host = config->host;
        kiln::runtime_host = &host;
        InitializeNativeTarget();
        InitializeNativeTargetAsmPrinter();
        InitializeNativeTargetAsmParser();
    });
    auto engine = kiln::Engine::create(*config);
    if (!engine) {
        kiln::Failure failure = kiln::read_failure(engine.takeError());
        return config->host.fail(error,
                                 failure.status == KILN_NO_MEMORY ? KILN_NO_MEMORY : KILN_INTERNAL,
                                 KILN_PHASE_BIND, failure.text.c_str());
    }
    *out = new jit_engine{std::move(*engine)};
    return KILN_OK;
}

void destroy(jit_engine *engine)
{
    // What a fork has lost is in the middle of something.
    if (engine->engine->is_lost()) {
        engine->engine->delist();
        (void)engine->engine.release();
    }
    delete engine;
}

kiln_status add_dylib(jit_engine *engine, const char *name, jit_dylib **dylib, kiln_error **error)
{
    if (kiln_status status = check(*engine->engine, error))
        return status;
    auto made = engine->engine->add_dylib(name);
    if (!made)
        return fail(*engine->engine, made.takeError(), KILN_PHASE_SPEC, error);
    *dylib = *made;
    return KILN_OK;
}

kiln_status set_search_order(jit_dylib *dylib, jit_dylib *const *order, size_t count,
                             kiln_error **error)
{
    if (kiln_status status = check(*dylib->engine, error))
        return status;
    Error failed = dylib->engine->set_search_order(*dylib, {order, count});
    return failed ? fail(*dylib->engine, std::move(failed), KILN_PHASE_SPEC, error) : KILN_OK;
}

template <typename Make>
kiln_status give(jit_dylib *dylib, Make make, jit_code **code, kiln_error **error)
{
    if (kiln_status status = check(*dylib->engine, error))
        return status;
    Expected<jit_code *> made = make(*dylib->engine);
    if (!made)
        return fail(*dylib->engine, made.takeError(), KILN_PHASE_BIND, error);
    *code = *made;
    return KILN_OK;
}

kiln_status add(jit_dylib *dylib, const jit_input *input, jit_code **code, kiln_error **error)
{
    return give(
        dylib, [&](kiln::Engine &engine) { return engine.add(*dylib, *input); }, code, error);
}

kiln_status add_shared_library(jit_dylib *dylib, const char *path, jit_code **code,
                               kiln_error **error)
{
    return give(
        dylib, [&](kiln::Engine &engine) { return engine.add_shared_library(*dylib, path); }, code,
        error);
}

kiln_status add_process(jit_dylib *dylib, jit_code **code, kiln_error **error)
{
    return give(
        dylib, [&](kiln::Engine &engine) { return engine.add_process(*dylib); }, code, error);
}

kiln_status add_library_path(jit_dylib *dylib, const char *const *directories, size_t count,
                             jit_code **code, kiln_error **error)
{
    return give(
        dylib,
        [&](kiln::Engine &engine) {
            return engine.add_library_path(*dylib, {directories, directories + count});
        },
        code, error);
}

kiln_status add_library(jit_dylib *dylib, const char *name, void *library, jit_code **code,
                        kiln_error **error)
{
    return give(
        dylib, [&](kiln::Engine &engine) { return engine.add_library(*dylib, name, library); },
        code, error);
}

kiln_status add_symbols(jit_dylib *dylib, const char *name, const jit_symbol *symbols, size_t count,
                        bool last, jit_code **code, kiln_error **error)
{
    return give(
        dylib,
        [&](kiln::Engine &engine) {
            return engine.add_symbols(*dylib, name, {symbols, count}, last);
        },
        code, error);
}

kiln_status add_promise(jit_dylib *dylib, const jit_promise *promise, jit_code **code,
                        kiln_error **error)
{
    std::shared_ptr<void> data(promise->data, promise->destroy);
    auto promised = [dylib, keep = promise->keep, data](jit_code &promise) -> Error {
        kiln_error *failed = nullptr;
        kiln_status status = keep(data.get(), dylib, &promise, &failed);
        if (status == KILN_OK)
            return Error::success();
        const jit_host &host = dylib->engine->host();
        Error result = kiln::refuse_as(status, host.error_text(failed));
        host.error_destroy(failed);
        return result;
    };
    std::set<std::string> names(promise->symbols, promise->symbols + promise->symbol_count);
    return give(
        dylib,
        [&](kiln::Engine &engine) {
            return engine.add_promise(*dylib, promise->name, std::move(names), promised);
        },
        code, error);
}

void keep_with(jit_code *promise, jit_code *code)
{
    promise->dylib->engine->keep_with(*promise, *code);
}

kiln_status remove_code(jit_code *code, kiln_error **error)
{
    kiln::Engine &engine = *code->dylib->engine;
    std::string reason;
    kiln_status status = check(engine, error);
    if (status != KILN_OK)
        return status;
    status = engine.remove(*code, reason, /*anyway=*/false);
    return status == KILN_REFUSED
               ? engine.host().fail(error, status, KILN_PHASE_BIND, reason.c_str())
               : status;
}

kiln_status remove_anyway(jit_code *code)
{
    kiln::Engine &engine = *code->dylib->engine;
    std::string reason;
    return engine.is_lost() ? KILN_PENDING : engine.remove(*code, reason, /*anyway=*/true);
}

bool has_departed(jit_engine *engine, const jit_code *code)
{
    return !engine->engine->is_lost() && engine->engine->has_departed(code);
}

bool is_linking(jit_engine *engine)
{
    return !engine->engine->is_lost() && engine->engine->is_linking();
}

void remove_dylib(jit_dylib *dylib)
{
    if (!dylib->engine->is_lost())
        dylib->engine->remove_dylib(*dylib);
}

kiln_status link_code(jit_code *code, kiln_error **error)
{
    if (kiln_status status = check(*code->dylib->engine, error))
        return status;
    Error failed = code->dylib->engine->link(*code);
    return failed ? fail(*code->dylib->engine, std::move(failed), KILN_PHASE_BIND, error) : KILN_OK;
}

bool lookup_own(jit_dylib *dylib, const char *name, void **address)
{
    if (dylib->engine->is_lost() || !dylib->engine->defines(*dylib, name))
        return false;
    auto found = dylib->engine->lookup(*dylib, name);
    if (!found) {
        consumeError(found.takeError());
        return false;
    }
    *address = *found;
    return true;
}

void *thread_local_address(void *control)
{
    return kiln::runtime_thread_local(control);
}

kiln_status lookup(jit_dylib *dylib, const char *name, void **address, kiln_error **error)
{
    if (kiln_status status = check(*dylib->engine, error))
        return status;
    auto found = dylib->engine->lookup(*dylib, name);
    if (!found)
        return fail(*dylib->engine, found.takeError(), KILN_PHASE_BIND, error);
    *address = *found;
    return KILN_OK;
}

kiln_status visit(jit_dylib *dylib, bool (*callback)(void *data, const kiln_symbol *symbol),
                  void *data, kiln_error **error)
{
    if (kiln_status status = check(*dylib->engine, error))
        return status;
    dylib->engine->visit(*dylib,
                         [&](const kiln_symbol &symbol) { return callback(data, &symbol); });
    return KILN_OK;
}

void *host_data(jit_dylib *dylib)
{
    return dylib->engine->host().data;
}

size_t memory(jit_engine *engine)
{
    return engine->engine->memory();
}

void before_fork(bool (*hold)(unsigned wait_ms), void (*release)(bool in_child))
{
    kiln::Engine::before_fork(hold, release);
}

void after_fork(bool in_child)
{
    kiln::Engine::after_fork(in_child);
}

const jit_plugin table = {
    .version = jit_plugin_version,
    .create = create,
    .destroy = destroy,
    .add_dylib = add_dylib,
    .set_search_order = set_search_order,
    .add = add,
    .add_shared_library = add_shared_library,
    .add_process = add_process,
    .add_library_path = add_library_path,
    .add_library = add_library,
    .add_symbols = add_symbols,
    .add_promise = add_promise,
    .keep_with = keep_with,
    .remove = remove_code,
    .has_departed = has_departed,
    .is_linking = is_linking,
    .remove_anyway = remove_anyway,
    .remove_dylib = remove_dylib,
    .link = link_code,
    .lookup_own = lookup_own,
    .thread_local_address = thread_local_address,
    .lookup = lookup,
    .visit = visit,
    .host_data = host_data,
    .memory = memory,
    .before_fork = before_fork,
    .after_fork = after_fork,
};

} // namespace

extern "C" __attribute__((visibility("default"))) const jit_plugin *kiln_jit_plugin(void);
extern "C" const jit_plugin *kiln_jit_plugin(void)
{
    return &table;
}
