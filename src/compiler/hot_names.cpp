// hot_names.cpp - see hot_names.h.
#include "compiler/hot_names.h"
#include "compiler/align.h"
#include "compiler/function_edit.h"
#include "compiler/record_layouts.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/ExprCXX.h"
#include "clang/AST/Mangle.h"
#include "clang/AST/RecursiveASTVisitor.h"
#include "clang/Frontend/CompilerInstance.h"
#include "clang/Lex/PPCallbacks.h"
#include "clang/Lex/Preprocessor.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/xxhash.h"

namespace kiln
{
namespace
{

constexpr llvm::StringLiteral namespace_scope = "@";

uint64_t digest_of_text(llvm::StringRef text)
{
    uint64_t digest = llvm::xxh3_64bits(text);
    return digest ? digest : 1;
}

uint64_t digest_of_code(const clang::Stmt *code, const clang::ASTContext &context)
{
    std::string text;
    llvm::raw_string_ostream stream(text);
    if (code)
        code->printPretty(stream, nullptr, context.getPrintingPolicy());
    return digest_of_text(text);
}

// What one top-level declaration holds, in the order of its text. Templates are left out: their
// instantiations come as declarations of their own.
class Finder : public clang::RecursiveASTVisitor<Finder>
{
  public:
    bool TraverseFunctionTemplateDecl(clang::FunctionTemplateDecl *)
    {
        return true;
    }
    bool TraverseClassTemplateDecl(clang::ClassTemplateDecl *)
    {
        return true;
    }
    bool
    TraverseClassTemplatePartialSpecializationDecl(clang::ClassTemplatePartialSpecializationDecl *)
    {
        return true;
    }
    bool TraverseVarDecl(clang::VarDecl *variable)
    {
        const clang::NamedDecl *outer = owner_;
        if (!variable->isLocalVarDeclOrParm())
            owner_ = variable;
        bool goes_on = RecursiveASTVisitor::TraverseVarDecl(variable);
        owner_ = outer;
        return goes_on;
    }
    bool VisitVarDecl(clang::VarDecl *variable)
    {
        if (variable->getDeclContext()->isDependentContext() ||
            variable->getType()->isDependentType())
            return true;
        if (variable->isStaticLocal())
            locals.push_back(variable);
        else if (variable->hasGlobalStorage() &&
                 variable->isThisDeclarationADefinition() == clang::VarDecl::Definition)
            globals.push_back(variable);
        return true;
    }
    // What stands by itself in the text: neither a member within its class, nor an instantiation.
    bool VisitFunctionDecl(clang::FunctionDecl *function)
    {
        if (function->getLexicalDeclContext()->isFileContext() && !function->isDependentContext() &&
            function->getTemplatedKind() == clang::FunctionDecl::TK_NonTemplate)
            functions.push_back(function);
        return true;
    }
    bool VisitLambdaExpr(clang::LambdaExpr *lambda)
    {
        if (!lambda->getLambdaClass()->isDependentContext())
            lambdas[{lambda->getLambdaClass()->getDeclContext(), owner_}].push_back(lambda);
        return true;
    }

    std::vector<clang::VarDecl *> locals, globals;
    std::vector<clang::FunctionDecl *> functions;
    // By their context and, outside of functions, the variable that is being initialised.
    using Place = std::pair<const clang::DeclContext *, const clang::NamedDecl *>;
    llvm::MapVector<Place, std::vector<clang::LambdaExpr *>> lambdas;

  private:
    const clang::NamedDecl *owner_ = nullptr;
};

// __COUNTER__ numbers what the whole text holds: a function alone would get other numbers.
class CounterWatch : public clang::PPCallbacks
{
  public:
    CounterWatch(const clang::IdentifierInfo *counter, bool &used) : counter_(counter), used_(used)
    {
    }
    void MacroExpands(const clang::Token &name, const clang::MacroDefinition &, clang::SourceRange,
                      const clang::MacroArgs *) override
    {
        used_ |= name.getIdentifierInfo() == counter_;
    }

  private:
    const clang::IdentifierInfo *counter_;
    bool &used_;
};

class HotNames : public clang::ASTConsumer
{
  public:
    HotNames(HotWork &work, clang::ASTConsumer &next, clang::CompilerInstance &instance)
        : work_(work), next_(next), instance_(instance), layouts_(work), bodies_(work)
    {
    }

    void Initialize(clang::ASTContext &context) override
    {
        context_ = &context;
        for (const HotBody &body : work_.unit.bodies) {
            if (body.skippable)
                skipped_.insert(body.function);
        }
        counter_ = instance_.getPreprocessor().getIdentifierInfo("__COUNTER__");
        auto watch = std::make_unique<CounterWatch>(counter_, uses_counter_);
        instance_.getPreprocessor().addPPCallbacks(std::move(watch));
        mangler_.reset(context.createMangleContext());
    }
    bool HandleTopLevelDecl(clang::DeclGroupRef group) override
    {
        for (clang::Decl *declaration : group) {
            if (work_.single_function)
                seem_used(declaration);
            look_at(declaration);
        }
        return true;
    }
    void HandleInlineFunctionDefinition(clang::FunctionDecl *function) override
    {
        look_at(function);
    }
    void HandleCXXStaticMemberVarInstantiation(clang::VarDecl *variable) override
    {
        look_at(variable);
    }
    // Of a unit whose edit is within one function, all others of its source.
    bool shouldSkipFunctionBody(clang::Decl *declaration) override
    {
        auto *function = llvm::dyn_cast<clang::FunctionDecl>(declaration);
        if (!work_.single_function || !function || function->isDependentContext())
            return false;
        std::string name = body_name(function);
        return name != *work_.single_function && skipped_.contains(name) && has_code(name);
    }
    void HandleTagDeclDefinition(clang::TagDecl *tag) override
    {
        if (auto *record = llvm::dyn_cast<clang::RecordDecl>(tag))
            layouts_.add_record(record);
    }
    void HandleTranslationUnit(clang::ASTContext &context) override
    {
        if (context.getDiagnostics().hasErrorOccurred())
            return;
        layouts_.finish(context);
        if (!work_.single_function)
            bodies_.finish(context.getSourceManager(), !uses_counter_);
        carry_over();
    }

  private:
    using StaticKey = std::pair<std::string, std::string>; // function, name

    void note_targets(clang::Decl *declaration);
    void seem_used(clang::Decl *declaration);
    void look_at(clang::Decl *declaration);
    void find_in_c(clang::Decl *declaration, Finder &finder);
    void look_at_body(clang::FunctionDecl *function);
    std::string body_name(const clang::FunctionDecl *function);
    bool has_code(const std::string &function) const;
    std::string mangled(const clang::NamedDecl *declaration);
    std::string context_key(const Finder::Place &place);
    std::string stable_base(const clang::VarDecl *variable);
    void number_lambdas(const std::string &key, const std::vector<clang::LambdaExpr *> &lambdas);
    void number_statics(const StaticKey &key, const std::vector<clang::VarDecl *> &variables);
    void keep_initialised(clang::VarDecl *variable);
    void keep_code(clang::VarDecl *variable);
    template <class Item, class Match>
    std::vector<const Item *> items_before(std::vector<Item> HotUnit::*list, Match match) const;
    bool is_out_of_sight(const std::string &function) const;
    void carry_over();

    HotWork &work_;
    clang::ASTConsumer &next_;
    clang::CompilerInstance &instance_;
    RecordLayouts layouts_;
    FunctionBodies bodies_;
    llvm::StringSet<> skipped_; // functions that need no body where one alone is compiled
    const clang::IdentifierInfo *counter_ = nullptr;
    bool uses_counter_ = false;
    unsigned kept_count_ = 0;
    uint32_t next_free_lambda_ = 1; // at namespace scope
    clang::ASTContext *context_ = nullptr;
    std::unique_ptr<clang::MangleContext> mangler_;
    llvm::SmallPtrSet<const clang::Decl *, 32> seen_;
};

std::string HotNames::mangled(const clang::NamedDecl *declaration)
{
    if (!mangler_->shouldMangleDeclName(declaration))
        return declaration->getNameAsString();
    clang::GlobalDecl global;
    if (auto *constructor = llvm::dyn_cast<clang::CXXConstructorDecl>(declaration))
        global = clang::GlobalDecl(constructor, clang::Ctor_Base);
    else if (auto *destructor = llvm::dyn_cast<clang::CXXDestructorDecl>(declaration))
        global = clang::GlobalDecl(destructor, clang::Dtor_Base);
    else if (auto *function = llvm::dyn_cast<clang::FunctionDecl>(declaration))
        global = clang::GlobalDecl(function);
    else
        global = clang::GlobalDecl(llvm::cast<clang::VarDecl>(declaration));
    std::string name;
    llvm::raw_string_ostream stream(name);
    mangler_->mangleName(global, stream);
    return name;
}

std::string HotNames::context_key(const Finder::Place &place)
{
    auto [context, owner] = place;
    if (auto *function = llvm::dyn_cast<clang::FunctionDecl>(context))
        return mangled(function);
    return namespace_scope.str() + (owner ? owner->getQualifiedNameAsString() : "");
}

// Bodies that another name stands for.
void HotNames::note_targets(clang::Decl *declaration)
{
    if (auto *context = llvm::dyn_cast<clang::DeclContext>(declaration);
        context && context->isFileContext()) {
        for (clang::Decl *inner : context->decls())
            note_targets(inner);
    }
    if (auto *alias = declaration->getAttr<clang::AliasAttr>())
        bodies_.add_target(alias->getAliasee());
    if (auto *choice = declaration->getAttr<clang::IFuncAttr>())
        bodies_.add_target(choice->getResolver());
}

// What only skipped bodies use is not unused.
void HotNames::seem_used(clang::Decl *declaration)
{
    if (auto *context = llvm::dyn_cast<clang::DeclContext>(declaration);
        context && context->isFileContext()) {
        for (clang::Decl *inner : context->decls())
            seem_used(inner);
        return;
    }
    auto *function = llvm::dyn_cast<clang::FunctionDecl>(declaration);
    auto *variable = llvm::dyn_cast<clang::VarDecl>(declaration);
    if ((function && function->isThisDeclarationADefinition()) ||
        (variable && variable->isThisDeclarationADefinition()))
        declaration->setIsUsed();
}

// ---- lists of before ----

// From this unit's table or, for inline functions that are new in this unit, from another's.
template <class Item, class Match>
std::vector<const Item *> HotNames::items_before(std::vector<Item> HotUnit::*list,
                                                 Match match) const
{
    std::vector<const Item *> found;
    auto search = [&](const HotUnit &unit) {
        for (const Item &item : unit.*list) {
            if (match(item))
                found.push_back(&item);
        }
    };
    if (const HotUnit *previous = work_.previous())
        search(*previous);
    for (const HotUnit &unit : work_.baseline.units()) {
        if (!found.empty())
            break;
        search(unit);
    }
    return found;
}

// Where one function alone is compiled, nothing is seen of the others.
bool HotNames::is_out_of_sight(const std::string &function) const
{
    return work_.single_function && *work_.single_function != function;
}

// What is gone keeps its number, and may come back.
void HotNames::carry_over()
{
    const HotUnit *previous = work_.previous();
    if (!previous)
        return;
    for (const HotStatic &old : previous->statics) {
        bool is_there = llvm::any_of(work_.unit.statics, [&](const HotStatic &now) {
            return now.function == old.function && now.name == old.name && now.number == old.number;
        });
        if (is_there)
            continue;
        work_.unit.statics.push_back(old);
        work_.unit.statics.back().gone |= !is_out_of_sight(old.function);
    }
    for (const HotLambda &old : previous->lambdas) {
        bool is_there = llvm::any_of(work_.unit.lambdas, [&](const HotLambda &now) {
            return now.context == old.context && now.number == old.number;
        });
        if (is_there)
            continue;
        work_.unit.lambdas.push_back(old);
        work_.unit.lambdas.back().gone |= !is_out_of_sight(old.context);
    }
}

// Which item of before each new one is, or NULL: those that were there last time are aligned; of the
// rest, what was there once and is just the same has come back.
template <class Item, class KeyOf>
std::vector<const Item *> match_items(const std::vector<const Item *> &before,
                                      const std::vector<Item> &now, KeyOf key_of,
                                      bool &is_ambiguous)
{
    std::vector<const Item *> live, result(now.size(), nullptr);
    std::vector<AlignItem> old_keys, new_keys;
    for (const Item *item : before) {
        if (!item->gone) {
            live.push_back(item);
            old_keys.push_back(key_of(*item));
        }
    }
    for (const Item &item : now)
        new_keys.push_back(key_of(item));
    Alignment alignment = align(old_keys, new_keys);
    is_ambiguous = alignment.is_ambiguous;
    std::vector<const Item *> taken;
    for (size_t i = 0; i < now.size(); i++) {
        if (alignment.before[i] != Alignment::none)
            result[i] = live[alignment.before[i]];
        for (const Item *item : before) {
            if (!result[i] && item->gone && key_of(*item).exact == new_keys[i].exact &&
                !llvm::is_contained(taken, item)) {
                result[i] = item;
                taken.push_back(item);
            }
        }
    }
    return result;
}

template <class Item> uint32_t next_number(const std::vector<const Item *> &items, uint32_t first)
{
    uint32_t next = first;
    for (const Item *item : items)
        next = std::max(next, item->number + 1);
    return next;
}

// ---- lambdas ----

// Closures of functions are mangled within their function. Those of initialisers at namespace scope
// are not mangled within anything: they share one sequence of numbers, and are matched by what they
// initialise.
void HotNames::number_lambdas(const std::string &key,
                              const std::vector<clang::LambdaExpr *> &lambdas)
{
    auto before = items_before<HotLambda>(
        &HotUnit::lambdas, [&](const HotLambda &lambda) { return lambda.context == key; });
    std::vector<HotLambda> found;
    for (clang::LambdaExpr *lambda : lambdas) {
        std::string shape = lambda->getCallOperator()->getType().getCanonicalType().getAsString();
        for (const clang::LambdaCapture &capture : lambda->captures()) {
            shape += capture.getCaptureKind() == clang::LCK_ByRef ? "&" : "=";
            if (capture.capturesVariable())
                shape += capture.getCapturedVar()->getNameAsString() + ":" +
                         capture.getCapturedVar()->getType().getCanonicalType().getAsString();
        }
        found.push_back(
            {key, digest_of_text(shape), digest_of_code(lambda->getBody(), *context_), 0, false});
    }
    bool is_ambiguous; // a new number does no harm: who has the old closure calls its old code
    auto matches = match_items(
        before, found,
        [](const HotLambda &lambda) {
            return AlignItem{lambda.shape ^ lambda.body * 31, lambda.shape};
        },
        is_ambiguous);
    uint32_t next = next_number(before, 1);
    if (llvm::StringRef(key).starts_with(namespace_scope)) {
        auto all = items_before<HotLambda>(&HotUnit::lambdas, [](const HotLambda &lambda) {
            return llvm::StringRef(lambda.context).starts_with(namespace_scope);
        });
        next = std::max({next, next_number(all, 1), next_free_lambda_});
    }
    for (size_t i = 0; i < lambdas.size(); i++) {
        // Other captures make another closure: who has the old one calls the old code.
        bool is_same = matches[i] && matches[i]->shape == found[i].shape;
        found[i].number = is_same ? matches[i]->number : next++;
        clang::CXXRecordDecl *closure = lambdas[i]->getLambdaClass();
        clang::CXXRecordDecl::LambdaNumbering numbering = closure->getLambdaNumbering();
        if (numbering.ManglingNumber == 0)
            numbering.HasKnownInternalLinkage = true;
        numbering.ManglingNumber = found[i].number;
        closure->setLambdaNumbering(numbering);
        work_.unit.lambdas.push_back(found[i]);
    }
    if (llvm::StringRef(key).starts_with(namespace_scope))
        next_free_lambda_ = next;
}

// ---- static variables of functions ----

// The name that CodeGen would give to the only variable of that name in its function.
std::string HotNames::stable_base(const clang::VarDecl *variable)
{
    auto *function = llvm::cast<clang::NamedDecl>(
        llvm::cast<clang::Decl>(variable->getParentFunctionOrMethod()));
    if (!context_->getLangOpts().CPlusPlus)
        return function->getNameAsString() + "." + variable->getNameAsString();
    std::string name = mangled(variable), plain = variable->getNameAsString();
    std::string ending = std::to_string(plain.size()) + plain;
    // Behind the name stands a number where several share it: "_0", "__10_".
    while (!llvm::StringRef(name).ends_with(ending) && name.size() > ending.size())
        name.pop_back();
    return name;
}

void HotNames::number_statics(const StaticKey &key, const std::vector<clang::VarDecl *> &variables)
{
    auto before = items_before<HotStatic>(&HotUnit::statics, [&](const HotStatic &item) {
        return item.function == key.first && item.name == key.second;
    });
    std::vector<HotStatic> found;
    for (const clang::VarDecl *variable : variables)
        found.push_back({key.first, key.second,
                         variable->getType().getCanonicalType().getAsString(),
                         digest_of_code(variable->getInit(), *context_), 0, false});
    bool is_ambiguous;
    auto matches = match_items(
        before, found,
        [](const HotStatic &item) {
            uint64_t type = digest_of_text(item.type);
            return AlignItem{type ^ item.initializer * 31, type};
        },
        is_ambiguous);
    if (is_ambiguous)
        work_.unit.notices.push_back(
            {HotNoticeKind::Ambiguous, key.first, key.second,
             "which of the static variables of that name in one function is which cannot be told: "
             "give the new one another name",
             ""});
    uint32_t next = next_number(before, 0);
    for (size_t i = 0; i < variables.size(); i++) {
        found[i].number = matches[i] ? matches[i]->number : next++;
        std::string name = stable_base(variables[i]);
        if (found[i].number > 0)
            name += "." + std::to_string(found[i].number);
        variables[i]->addAttr(
            clang::AnnotateAttr::CreateImplicit(*context_, "kiln.name:" + name, nullptr, 0));
        work_.unit.statics.push_back(found[i]);
    }
}

// ---- what is initialised by code ----

// A function that nobody calls, with the initialiser and destructor of a variable that exists: so
// code is still made for what they use, and can be compared. hot_pass.cpp drops it.
void HotNames::keep_code(clang::VarDecl *variable)
{
    clang::ASTContext &context = *context_;
    std::string name = hot_kept_prefix.str() + std::to_string(kept_count_++);
    clang::SourceLocation where = variable->getLocation();
    clang::FunctionProtoType::ExtProtoInfo information;
    auto type = context.getFunctionType(context.VoidTy, {}, information);
    auto *function = clang::FunctionDecl::Create(
        context, context.getTranslationUnitDecl(), where, where,
        clang::DeclarationName(&context.Idents.get(name)), type,
        context.getTrivialTypeSourceInfo(type, where), clang::SC_Static);
    auto *copy =
        clang::VarDecl::Create(context, function, where, where, variable->getIdentifier(),
                               variable->getType(), variable->getTypeSourceInfo(), clang::SC_None);
    copy->setInit(variable->getInit());
    copy->setInitStyle(variable->getInitStyle());
    auto *statement =
        new (context) clang::DeclStmt(clang::DeclGroupRef(copy), where, variable->getEndLoc());
    function->setBody(clang::CompoundStmt::Create(context, {statement}, clang::FPOptionsOverride(),
                                                  where, where));
    function->addAttr(clang::UsedAttr::CreateImplicit(context));
    next_.HandleTopLevelDecl(clang::DeclGroupRef(function));
}

// A definition without an initialiser, for which no code is made; the pass then turns it into a
// declaration of the one that exists.
void HotNames::keep_initialised(clang::VarDecl *variable)
{
    if (!context_->getLangOpts().CPlusPlus || variable->isConstexpr())
        return;
    bool is_dynamic = (variable->hasInit() && !variable->hasConstantInitialization()) ||
                      variable->needsDestruction(*context_);
    if (!is_dynamic)
        return;
    std::string name = mangled(variable);
    work_.dynamic_initializers[name] = digest_of_code(variable->getInit(), *context_);
    const HotSymbol *known = work_.baseline.symbol(name);
    if (!known)
        known = work_.baseline.symbol(name + ".kiln." + work_.unit_name);
    if (!known || known->kind == HotKind::Constant || known->kind == HotKind::Function)
        return;
    // One of another size is made anew.
    auto size = context_->getTypeSizeInChars(
        variable->getType()->isReferenceType()
            ? context_->getPointerType(variable->getType().getNonReferenceType())
            : variable->getType());
    if (uint64_t(size.getQuantity()) != known->size)
        return;
    keep_code(variable);
    work_.dropped_initializers.insert(name);
    variable->setInit(nullptr);
    if (!variable->hasAttr<clang::NoDestroyAttr>())
        variable->addAttr(clang::NoDestroyAttr::CreateImplicit(*context_));
}

// ---- the whole ----

// How the table of bodies calls a function.
std::string HotNames::body_name(const clang::FunctionDecl *function)
{
    return context_->getLangOpts().CPlusPlus ? mangled(function) : function->getNameAsString();
}

// Whether there is code of a function, as its source is now: of a static one that nobody called
// there is none, and none is made of a body that is skipped.
bool HotNames::has_code(const std::string &function) const
{
    const HotSymbol *known = work_.baseline.symbol(function);
    if (!known)
        known = work_.baseline.symbol(function + ".kiln." + work_.unit_name);
    return known && known->content != 0;
}

void HotNames::look_at_body(clang::FunctionDecl *function)
{
    if (!function->doesThisDeclarationHaveABody())
        return;
    std::string name = body_name(function);
    bodies_.add(function, name, context_->getSourceManager());
    // Its callers are skipped, and nobody else would ask for its code.
    if (work_.single_function && name == *work_.single_function)
        function->addAttr(clang::UsedAttr::CreateImplicit(*context_));
}

// In C nothing but the variables of functions is of interest, and these are children of the
// function: its statements need not be looked at.
void HotNames::find_in_c(clang::Decl *declaration, Finder &finder)
{
    if (auto *variable = llvm::dyn_cast<clang::VarDecl>(declaration);
        variable && variable->hasGlobalStorage() &&
        variable->isThisDeclarationADefinition() != clang::VarDecl::DeclarationOnly)
        finder.globals.push_back(variable);
    auto *function = llvm::dyn_cast<clang::FunctionDecl>(declaration);
    if (!function)
        return;
    look_at_body(function);
    for (clang::Decl *child : function->decls()) {
        auto *variable = llvm::dyn_cast<clang::VarDecl>(child);
        if (variable && variable->isStaticLocal())
            finder.locals.push_back(variable);
    }
}

void HotNames::look_at(clang::Decl *declaration)
{
    Finder finder;
    if (context_->getDiagnostics().hasErrorOccurred())
        return;
    note_targets(declaration);
    if (context_->getLangOpts().CPlusPlus) {
        finder.TraverseDecl(declaration);
        for (clang::FunctionDecl *function : finder.functions)
            look_at_body(function);
    } else {
        find_in_c(declaration, finder);
    }
    for (auto &[place, lambdas] : finder.lambdas) {
        std::vector<clang::LambdaExpr *> fresh;
        for (clang::LambdaExpr *lambda : lambdas) {
            // What has a context of its own (an inline variable, a member) is numbered within it.
            bool has_context = !place.first->isFunctionOrMethod() &&
                               lambda->getLambdaClass()->getLambdaContextDecl();
            if (!has_context && seen_.insert(lambda->getLambdaClass()).second)
                fresh.push_back(lambda);
        }
        if (!fresh.empty())
            number_lambdas(context_key(place), fresh);
    }
    std::map<StaticKey, std::vector<clang::VarDecl *>> statics;
    for (clang::VarDecl *variable : finder.locals) {
        auto *function = llvm::dyn_cast_or_null<clang::FunctionDecl>(
            llvm::dyn_cast_or_null<clang::Decl>(variable->getParentFunctionOrMethod()));
        if (!function || !seen_.insert(variable).second)
            continue;
        layouts_.add_variable(variable);
        statics[{mangled(function), variable->getNameAsString()}].push_back(variable);
    }
    for (auto &[key, variables] : statics)
        number_statics(key, variables);
    for (clang::VarDecl *variable : finder.globals) {
        if (!seen_.insert(variable).second)
            continue;
        layouts_.add_variable(variable);
        keep_initialised(variable);
    }
}

} // namespace

std::unique_ptr<clang::ASTConsumer> hot_names_create(HotWork &work, clang::ASTConsumer &next,
                                                     clang::CompilerInstance &instance)
{
    return std::make_unique<HotNames>(work, next, instance);
}

} // namespace kiln
