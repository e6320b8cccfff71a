// packages.cpp - pkg-config packages through libpkgconf. See plan.h.
//
// libpkgconf reads the environment (PKG_CONFIG_PATH and the like, which are part of the job's
// surroundings) and opens files through the file gate, which records the .pc files that it reads
// and the places where it looks in vain.
#include "compiler/plan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <libpkgconf/libpkgconf.h>

namespace kiln
{
namespace
{

// Deep enough for any graph of packages; the library wants a bound against circles.
constexpr int depth_limit = 2000;

using ListPart = unsigned (*)(pkgconf_client_t *, pkgconf_pkg_t *, pkgconf_list_t *, int);

struct Query {
    std::vector<std::string> &compile_arguments, &link_arguments;
};

bool collect_errors(const char *text, const pkgconf_client_t *, const void *data)
{
    // The client keeps the pointer that pkgconf_client_new got, as const.
    auto &complaints = *static_cast<std::string *>(const_cast<void *>(data));
    complaints += text;
    return true;
}

bool stay_silent(const char *, const pkgconf_client_t *, const void *)
{
    return true;
}

bool is_no_system_directory(const pkgconf_client_t *client, const pkgconf_fragment_t *fragment,
                            void *)
{
    return !pkgconf_fragment_has_system_dir(client, fragment);
}

// One kind of flags of the packages in `world`, as separate arguments.
bool add_arguments(pkgconf_client_t *client, pkgconf_pkg_t *world, int depth, ListPart part,
                   std::vector<std::string> &arguments)
{
    pkgconf_list_t all = PKGCONF_LIST_INITIALIZER, useful = PKGCONF_LIST_INITIALIZER;
    bool found = part(client, world, &all, depth) == PKGCONF_PKG_ERRF_OK;
    pkgconf_fragment_filter(client, &useful, &all, is_no_system_directory, nullptr);
    const pkgconf_node_t *node;
    PKGCONF_FOREACH_LIST_ENTRY(useful.head, node)
    {
        auto *fragment = static_cast<const pkgconf_fragment_t *>(node->data);
        std::string text = fragment->data ? fragment->data : "";
        arguments.push_back(fragment->type ? std::string("-") + fragment->type + text : text);
    }
    pkgconf_fragment_free(&all);
    pkgconf_fragment_free(&useful);
    return found;
}

bool add_package(pkgconf_client_t *client, pkgconf_pkg_t *world, void *data, int depth)
{
    auto &query = *static_cast<Query *>(data);
    return add_arguments(client, world, depth, pkgconf_pkg_cflags, query.compile_arguments) &&
           add_arguments(client, world, depth, pkgconf_pkg_libs, query.link_arguments);
}

// What libpkgconf complained of, for people: each line once, and without the package of its own making
// that requires what was asked for.
std::string reason_of(llvm::StringRef complaints)
{
    std::vector<std::string> lines;
    while (!complaints.empty()) {
        auto [line, rest] = complaints.split('\n');
        complaints = rest;
        auto [before, behind] = line.trim().split(", required by 'virtual:world'");
        behind.consume_front(",");
        std::string text = (before + behind).str();
        if (!text.empty() && !llvm::is_contained(lines, text))
            lines.push_back(text);
    }
    return llvm::join(lines, "\n");
}

} // namespace

void resolve_packages(const std::vector<std::string> &packages,
                      std::vector<std::string> &compile_arguments,
                      std::vector<std::string> &link_arguments, DiagnosticList &list)
{
    if (packages.empty())
        return;
    std::string complaints;
    pkgconf_cross_personality_t *personality = pkgconf_cross_personality_default();
    pkgconf_client_t *client = pkgconf_client_new(collect_errors, &complaints, personality);
    pkgconf_client_set_warn_handler(client, stay_silent, nullptr);
    pkgconf_client_set_flags(client, PKGCONF_PKG_PKGF_SIMPLIFY_ERRORS);
    pkgconf_client_dir_list_build(client, personality);

    Query query{compile_arguments, link_arguments};
    for (const std::string &package : packages) {
        complaints.clear();
        pkgconf_list_t queue = PKGCONF_LIST_INITIALIZER;
        pkgconf_queue_push(&queue, package.c_str());
        bool found = pkgconf_queue_apply(client, &queue, add_package, depth_limit, &query);
        pkgconf_queue_free(&queue);
        if (found)
            continue;
        std::string text = "the pkg-config package '" + package + "' cannot be used";
        std::string reason = reason_of(complaints);
        list.add(Severity::Error, reason.empty() ? text : text + ": " + reason);
    }
    pkgconf_client_free(client);
}

} // namespace kiln
