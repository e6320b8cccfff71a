// hot_consumer.h - what looks at the declarations of a hot unit before code is made of them.
#pragma once

#include "compiler/hot_table.h"

#include "clang/AST/ASTConsumer.h"
#include "clang/Frontend/CompilerInstance.h"
#include "clang/Frontend/MultiplexConsumer.h"

#include <memory>

namespace kiln
{

// Puts the consumers of hot units before Clang's own.
std::unique_ptr<clang::ASTConsumer> hot_consumer(HotWork &work,
                                                 std::unique_ptr<clang::ASTConsumer> own,
                                                 clang::CompilerInstance &instance);

template <class Action> class HotAction : public Action
{
  public:
    explicit HotAction(HotWork &work) : work_(work) {}

  protected:
    std::unique_ptr<clang::ASTConsumer> CreateASTConsumer(clang::CompilerInstance &instance,
                                                          llvm::StringRef file) override
    {
        auto own = Action::CreateASTConsumer(instance, file);
        return own ? hot_consumer(work_, std::move(own), instance) : nullptr;
    }

  private:
    HotWork &work_;
};

// hot: NULL for the plain action.
template <class Action> std::unique_ptr<Action> hot_action(HotWork *hot)
{
    if (hot)
        return std::make_unique<HotAction<Action>>(*hot);
    return std::make_unique<Action>();
}

} // namespace kiln
