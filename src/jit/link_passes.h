// link_passes.h - what is done to each object while JITLink links it.
//
//   - lists of constructors and destructors (.init_array, .fini_array, .ctors, .dtors) are kept
//     alive, and read once they hold addresses;
//   - __dso_handle, and the functions of libc that ask for it, become the code's own (runtime.h);
//   - unwind tables are registered with the system's unwinder;
//   - bounds of sections that other objects of a module ask for get names (lazy_module.h);
//   - whoever else's code the object refers to is noted;
//   - what has debug information is told to debuggers;
//   - functions are told to perf, where it is asked for.
#pragma once

#include "jit/runtime.h"

#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"

#include <memory>
#include <mutex>

namespace kiln
{

// Of "__start_NAME" and "__stop_NAME" the section's name; else nothing.
llvm::StringRef section_of_bound(llvm::StringRef symbol);

// Whom the passes report to.
class LinkObserver
{
  public:
    virtual ~LinkObserver() = default;
    // Whether a weak definition of data gives way to another dylib's.
    virtual bool is_elsewhere(llvm::orc::ResourceKey key, llvm::StringRef name) = 0;
    // Whether it may refer to these, which others own.
    virtual llvm::Error check_references(llvm::orc::ResourceKey key,
                                         llvm::ArrayRef<const void *> addresses) = 0;
    // Whether all code reaches the address by 32 bits.
    virtual bool is_near(const void *address) const = 0;
    // The __dso_handle of its code; NULL: that was removed meanwhile.
    virtual const void *handle(llvm::orc::ResourceKey key) = 0;
    // It has a place, and is not in it yet: linked or failed follows.
    virtual void allocated(llvm::orc::ResourceKey key, Range where) = 0;
    // It could not be linked, which was reported. where: it would have lain, if it had got a place.
    virtual void failed(llvm::orc::ResourceKey key, Range where) = 0;
    // It is in its place, and complete; the observer owns it.
    virtual void linked(llvm::orc::ResourceKey key, llvm::StringRef name,
                        std::unique_ptr<Linked> linked) = 0;
};

class LinkPasses : public llvm::orc::ObjectLinkingLayer::Plugin
{
  public:
    LinkPasses(LinkObserver &observer, bool perf_map) : observer_(observer), perf_map_(perf_map) {}

    void notifyMaterializing(llvm::orc::MaterializationResponsibility &responsibility,
                             llvm::jitlink::LinkGraph &graph,
                             llvm::jitlink::JITLinkContext &context,
                             llvm::MemoryBufferRef object) override;
    void modifyPassConfig(llvm::orc::MaterializationResponsibility &responsibility,
                          llvm::jitlink::LinkGraph &graph,
                          llvm::jitlink::PassConfiguration &passes) override;
    llvm::Error notifyEmitted(llvm::orc::MaterializationResponsibility &responsibility) override;
    llvm::Error notifyFailed(llvm::orc::MaterializationResponsibility &responsibility) override;
    llvm::Error notifyRemovingResources(llvm::orc::JITDylib &, llvm::orc::ResourceKey) override
    {
        return llvm::Error::success();
    }
    void notifyTransferringResources(llvm::orc::JITDylib &, llvm::orc::ResourceKey,
                                     llvm::orc::ResourceKey) override
    {
    }

  private:
    struct Link {
        std::string name;
        llvm::MemoryBufferRef object; // for as long as it is being linked
        llvm::orc::ResourceKey key = 0;
        std::unique_ptr<Linked> linked;
        const void *handle = nullptr;
    };

    LinkObserver &observer_;
    const bool perf_map_;
    std::mutex mutex_; // guards links_
    std::map<llvm::orc::MaterializationResponsibility *, Link> links_;
};

} // namespace kiln
