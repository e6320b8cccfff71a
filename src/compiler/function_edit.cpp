// function_edit.cpp - see function_edit.h.
#include "compiler/function_edit.h"

#include "clang/AST/Attr.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/Stmt.h"
#include "clang/Lex/Lexer.h"
#include "llvm/Support/xxhash.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace kiln
{
namespace
{

uint64_t digest_of_part(llvm::StringRef source, uint64_t begin, uint64_t size)
{
    if (begin > source.size() || size > source.size() - begin)
        return 0;
    return llvm::xxh3_64bits(source.substr(begin, size)) | 1;
}

bool has_directive(llvm::StringRef text)
{
    llvm::SmallVector<llvm::StringRef, 64> lines;
    text.split(lines, '\n');
    return llvm::any_of(lines,
                        [](llvm::StringRef line) {
                            line = line.ltrim(" \t");
                            return line.starts_with("#") || line.starts_with("%:") ||
                                   line.starts_with("?\?=");
                        }) ||
           text.contains("_Pragma") || text.contains("__COUNTER__");
}

// Whether it is one compound statement, and nothing behind it: another function that was put there
// would count as part of it. Braces that macros open or close leave it to the whole unit.
bool is_one_block(llvm::StringRef text)
{
    std::string copy = text.str();
    clang::LangOptions options;
    options.CPlusPlus = options.CPlusPlus11 = options.CPlusPlus14 = true;
    clang::Lexer lexer(clang::SourceLocation(), options, copy.data(), copy.data(),
                       copy.data() + copy.size());
    int depth = 0;
    for (clang::Token token;;) {
        bool is_last = lexer.LexFromRawLexer(token);
        if (token.is(clang::tok::eof))
            return depth == 0;
        depth += token.is(clang::tok::l_brace);
        depth -= token.is(clang::tok::r_brace);
        if (depth == 0)
            return is_last || lexer.LexFromRawLexer(token) || token.is(clang::tok::eof);
    }
}

// Where everything up to a body, itself included, is as it was; the index of the first one that is
// not, or bodies.size().
size_t first_difference(const HotUnit &before, llvm::StringRef source, bool &fits)
{
    uint64_t at = 0;
    for (size_t i = 0; i < before.bodies.size(); i++) {
        const HotBody &body = before.bodies[i];
        fits = digest_of_part(source, at, body.begin - at) == body.before;
        if (!fits || digest_of_part(source, body.begin, body.size) != body.digest)
            return i;
        at = body.begin + body.size;
    }
    return before.bodies.size();
}

} // namespace

bool function_edit_is_possible(const HotWork &work)
{
    const HotUnit *before = work.previous();
    return before && !work.whole && !work.follow_up && work.only_source && !before->bodies.empty();
}

void function_edit_find(HotWork &work, llvm::StringRef source)
{
    const HotUnit *before = work.previous();
    bool fits = true;
    assert(function_edit_is_possible(work));
    size_t edited = first_difference(*before, source, fits);
    if (!fits || edited == before->bodies.size() || !before->bodies[edited].plain)
        return;
    int64_t growth = int64_t(source.size()) - int64_t(before->source_size);
    std::vector<HotBody> bodies = before->bodies;
    HotBody &body = bodies[edited];
    if (int64_t(body.size) + growth < 2)
        return;
    body.size = uint64_t(int64_t(body.size) + growth);
    body.digest = digest_of_part(source, body.begin, body.size);
    llvm::StringRef text = source.substr(body.begin, body.size);
    uint64_t lines_before = std::exchange(body.lines, text.count('\n'));
    if (!text.starts_with("{") || !text.ends_with("}") || has_directive(text) ||
        !is_one_block(text))
        return;
    uint64_t at = body.begin + body.size;
    for (size_t i = edited + 1; i < bodies.size(); i++) {
        HotBody &next = bodies[i];
        next.begin = uint64_t(int64_t(next.begin) + growth);
        if (digest_of_part(source, at, next.begin - at) != next.before ||
            digest_of_part(source, next.begin, next.size) != next.digest)
            return;
        at = next.begin + next.size;
    }
    if (digest_of_part(source, at, source.size() - at) != before->after_bodies)
        return;
    work.unit.stale_lines = before->stale_lines || bodies[edited].lines != lines_before;
    work.single_function = bodies[edited].function;
    work.unit.bodies = std::move(bodies);
    work.unit.after_bodies = before->after_bodies;
    work.unit.source_size = source.size();
    work.unit.single_function = true;
}

// Functions of which others see more than the declaration, or that have several symbols.
static bool is_special(const clang::FunctionDecl *function)
{
    return function->hasAttr<clang::AlwaysInlineAttr>() || function->isConstexpr() ||
           function->getDeclaredReturnType()->getContainedDeducedType() ||
           llvm::isa<clang::CXXConstructorDecl, clang::CXXDestructorDecl>(function);
}

void FunctionBodies::add(const clang::FunctionDecl *function, const std::string &name,
                         const clang::SourceManager &sources)
{
    const clang::Stmt *body = function->getBody();
    // A try block that is the body begins with its own word.
    if (!body || !llvm::isa<clang::CompoundStmt>(body))
        return;
    clang::SourceLocation begin = body->getBeginLoc(), end = body->getEndLoc();
    if (begin.isMacroID() || end.isMacroID() || !sources.isWrittenInMainFile(begin) ||
        !sources.isWrittenInMainFile(end))
        return;
    uint64_t first = sources.getFileOffset(begin), last = sources.getFileOffset(end);
    llvm::StringRef source = sources.getBufferData(sources.getMainFileID());
    if (last < first || last >= source.size())
        return;
    bool is_cxx = function->getLangOpts().CPlusPlus;
    bool skippable = !is_special(function) && !(is_cxx && function->isInlined());
    llvm::StringRef text = source.substr(first, last + 1 - first);
    bool plain = skippable && !function->isInlineSpecified() && !has_directive(text);
    bodies_.push_back({name, first, text.size(), 0, 0, plain, skippable, text.count('\n')});
}

void FunctionBodies::finish(const clang::SourceManager &sources, bool alone)
{
    llvm::StringRef source = sources.getBufferData(sources.getMainFileID());
    uint64_t at = 0;
    std::sort(bodies_.begin(), bodies_.end(),
              [](const HotBody &a, const HotBody &b) { return a.begin < b.begin; });
    for (HotBody &body : bodies_) {
        if (body.begin < at)
            return; // bodies within bodies: an extension of GNU C
        body.skippable &= !targets_.contains(body.function);
        body.before = digest_of_part(source, at, body.begin - at);
        body.digest = digest_of_part(source, body.begin, body.size);
        at = body.begin + body.size;
    }
    if (!alone)
        return;
    work_.unit.bodies = std::move(bodies_);
    work_.unit.after_bodies = digest_of_part(source, at, source.size() - at);
    work_.unit.source_size = source.size();
}

} // namespace kiln
