// hot_consumer.cpp - see hot_consumer.h.
#include "compiler/hot_consumer.h"
#include "compiler/hot_names.h"

namespace kiln
{

std::unique_ptr<clang::ASTConsumer> hot_consumer(HotWork &work,
                                                 std::unique_ptr<clang::ASTConsumer> own,
                                                 clang::CompilerInstance &instance)
{
    std::vector<std::unique_ptr<clang::ASTConsumer>> consumers;
    consumers.push_back(hot_names_create(work, *own, instance));
    consumers.push_back(std::move(own));
    return std::make_unique<clang::MultiplexConsumer>(std::move(consumers));
}

} // namespace kiln
