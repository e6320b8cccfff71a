// ir_digest.cpp - digests of IR. See ir_digest.h.
//
// A function is written down as a string of numbers, instruction by instruction, and that string is
// digested (XXH3). Constants and types are digested once a module.
#include "compiler/ir_digest.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/GetElementPtrTypeIterator.h"
#include "llvm/IR/GlobalIFunc.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Metadata.h"
#include "llvm/IR/Operator.h"
#include "llvm/Support/xxhash.h"

namespace kiln
{
namespace
{

// What the string of numbers says first of an operand.
enum Tag : uint64_t {
    tag_local = 1,
    tag_constant,
    tag_metadata,
    tag_assembly,
    tag_named,
    tag_content,
    tag_recursive,
};

uint64_t digest_of_bytes(llvm::ArrayRef<char> bytes)
{
    uint64_t digest = llvm::xxh3_64bits(
        llvm::ArrayRef(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()));
    return digest ? digest : 1;
}

// Flags that are no operands: nsw, inbounds, fast-math and the like.
uint64_t flags_of(const llvm::Value &value)
{
    uint64_t flags = 0;
    if (auto *op = llvm::dyn_cast<llvm::OverflowingBinaryOperator>(&value))
        flags |= uint64_t(op->hasNoSignedWrap()) | uint64_t(op->hasNoUnsignedWrap()) << 1;
    if (auto *op = llvm::dyn_cast<llvm::PossiblyExactOperator>(&value))
        flags |= uint64_t(op->isExact()) << 2;
    if (auto *op = llvm::dyn_cast<llvm::GEPOperator>(&value))
        flags |= uint64_t(op->getNoWrapFlags().getRaw()) << 3;
    if (auto *op = llvm::dyn_cast<llvm::FPMathOperator>(&value)) {
        llvm::FastMathFlags fast = op->getFastMathFlags();
        flags |= (uint64_t(fast.allowReassoc()) | uint64_t(fast.noNaNs()) << 1 |
                  uint64_t(fast.noInfs()) << 2 | uint64_t(fast.noSignedZeros()) << 3 |
                  uint64_t(fast.allowReciprocal()) << 4 | uint64_t(fast.allowContract()) << 5 |
                  uint64_t(fast.approxFunc()) << 6)
                 << 16;
    }
    if (auto *op = llvm::dyn_cast<llvm::PossiblyNonNegInst>(&value))
        flags |= uint64_t(op->hasNonNeg()) << 32;
    if (auto *op = llvm::dyn_cast<llvm::PossiblyDisjointInst>(&value))
        flags |= uint64_t(op->isDisjoint()) << 33;
    if (auto *op = llvm::dyn_cast<llvm::TruncInst>(&value))
        flags |= uint64_t(op->hasNoSignedWrap()) << 34 | uint64_t(op->hasNoUnsignedWrap()) << 35;
    if (auto *op = llvm::dyn_cast<llvm::ICmpInst>(&value))
        flags |= uint64_t(op->hasSameSign()) << 36;
    return flags;
}

} // namespace

void IrDigest::add(Bytes &bytes, llvm::StringRef text)
{
    add(bytes, text.size());
    bytes.append(text.begin(), text.end());
}

void IrDigest::add_attributes(Bytes &bytes, const llvm::AttributeList &list)
{
    uint64_t &known = attributes_[list.getRawPointer()];
    if (known == 0) {
        Bytes own;
        for (unsigned index : list.indexes()) {
            add(own, index);
            for (const llvm::Attribute &attribute : list.getAttributes(index)) {
                if (attribute.isTypeAttribute()) {
                    add(own, uint64_t(attribute.getKindAsEnum()));
                    add(own, attribute.getValueAsType() ? type(*attribute.getValueAsType()) : 0);
                } else {
                    add(own, attribute.getAsString());
                }
            }
        }
        known = digest_of_bytes(own);
    }
    add(bytes, known);
}

// Named structures count by what they are made of: LLVM numbers their names.
uint64_t IrDigest::type(const llvm::Type &type)
{
    auto known = types_.find(&type);
    if (known != types_.end())
        return known->second;
    types_[&type] = type.getTypeID() + 1; // types of one another do not end
    Bytes bytes;
    add(bytes, type.getTypeID());
    if (auto *integer = llvm::dyn_cast<llvm::IntegerType>(&type))
        add(bytes, integer->getBitWidth());
    else if (auto *pointer = llvm::dyn_cast<llvm::PointerType>(&type))
        add(bytes, pointer->getAddressSpace());
    else if (auto *array = llvm::dyn_cast<llvm::ArrayType>(&type))
        add(bytes, array->getNumElements());
    else if (auto *vector = llvm::dyn_cast<llvm::VectorType>(&type))
        add(bytes, vector->getElementCount().getKnownMinValue());
    else if (auto *structure = llvm::dyn_cast<llvm::StructType>(&type))
        add(bytes, structure->isPacked());
    else if (auto *function = llvm::dyn_cast<llvm::FunctionType>(&type))
        add(bytes, function->isVarArg());
    else if (auto *extension = llvm::dyn_cast<llvm::TargetExtType>(&type))
        add(bytes, extension->getName());
    for (const llvm::Type *part : type.subtypes())
        add(bytes, this->type(*part));
    return types_[&type] = digest_of_bytes(bytes);
}

uint64_t IrDigest::global(const llvm::GlobalValue &value)
{
    Bytes bytes;
    llvm::StringRef name = name_of_(value);
    if (!name.empty()) {
        add(bytes, tag_named);
        add(bytes, name);
        return digest_of_bytes(bytes);
    }
    constants_[&value] = tag_recursive;
    add(bytes, tag_content);
    if (auto *variable = llvm::dyn_cast<llvm::GlobalVariable>(&value)) {
        add(bytes, variable->isConstant());
        add(bytes, type(*variable->getValueType()));
        add(bytes, variable->hasInitializer() ? constant(*variable->getInitializer()) : 0);
    } else if (auto *function = llvm::dyn_cast<llvm::Function>(&value)) {
        auto numbers = std::move(numbers_);
        add(bytes, this->function(*function));
        numbers_ = std::move(numbers);
    } else if (auto *alias = llvm::dyn_cast<llvm::GlobalAlias>(&value)) {
        add(bytes, constant(*alias->getAliasee()));
    } else {
        add(bytes, value.getName());
    }
    return digest_of_bytes(bytes);
}

uint64_t IrDigest::new_constant(const llvm::Constant &constant)
{
    if (auto *value = llvm::dyn_cast<llvm::GlobalValue>(&constant))
        return global(*value);
    Bytes bytes;
    add(bytes, constant.getValueID());
    add(bytes, type(*constant.getType()));
    if (auto *integer = llvm::dyn_cast<llvm::ConstantInt>(&constant)) {
        for (unsigned i = 0; i < integer->getValue().getNumWords(); i++)
            add(bytes, integer->getValue().getRawData()[i]);
    } else if (auto *number = llvm::dyn_cast<llvm::ConstantFP>(&constant)) {
        llvm::APInt bits = number->getValueAPF().bitcastToAPInt();
        for (unsigned i = 0; i < bits.getNumWords(); i++)
            add(bytes, bits.getRawData()[i]);
    } else if (auto *data = llvm::dyn_cast<llvm::ConstantDataSequential>(&constant)) {
        add(bytes, data->getRawDataValues());
    } else if (auto *address = llvm::dyn_cast<llvm::BlockAddress>(&constant)) {
        add(bytes, this->constant(*address->getFunction()));
        uint64_t index = 0;
        for (const llvm::BasicBlock &block : *address->getFunction()) {
            if (&block == address->getBasicBlock())
                break;
            index++;
        }
        add(bytes, index);
        return digest_of_bytes(bytes);
    } else if (auto *expression = llvm::dyn_cast<llvm::ConstantExpr>(&constant)) {
        add(bytes, expression->getOpcode());
        add(bytes, flags_of(*expression));
        if (auto *place = llvm::dyn_cast<llvm::GEPOperator>(expression))
            add(bytes, type(*place->getSourceElementType()));
    }
    for (const llvm::Use &operand : constant.operands())
        add(bytes, this->constant(*llvm::cast<llvm::Constant>(operand)));
    return digest_of_bytes(bytes);
}

uint64_t IrDigest::constant(const llvm::Constant &constant)
{
    auto known = constants_.find(&constant);
    if (known != constants_.end())
        return known->second;
    uint64_t digest = new_constant(constant);
    return constants_[&constant] = digest;
}

// What some intrinsics are told by words: the name of a register, the mode of rounding.
void IrDigest::add_words(Bytes &bytes, const llvm::Metadata *metadata)
{
    if (auto *words = llvm::dyn_cast_or_null<llvm::MDString>(metadata))
        add(bytes, words->getString());
    else if (auto *list = llvm::dyn_cast_or_null<llvm::MDTuple>(metadata))
        for (const llvm::MDOperand &operand : list->operands())
            add_words(bytes, operand.get());
}

void IrDigest::add_operand(Bytes &bytes, const llvm::Value &value)
{
    if (auto *constant = llvm::dyn_cast<llvm::Constant>(&value)) {
        add(bytes, tag_constant);
        add(bytes, this->constant(*constant));
    } else if (auto *assembly = llvm::dyn_cast<llvm::InlineAsm>(&value)) {
        add(bytes, tag_assembly);
        add(bytes, assembly->getAsmString());
        add(bytes, assembly->getConstraintString());
        add(bytes, uint64_t(assembly->hasSideEffects()) | uint64_t(assembly->isAlignStack()) << 1 |
                       uint64_t(assembly->getDialect()) << 2 | uint64_t(assembly->canThrow()) << 8);
    } else if (auto *metadata = llvm::dyn_cast<llvm::MetadataAsValue>(&value)) {
        add(bytes, tag_metadata);
        add_words(bytes, metadata->getMetadata());
    } else {
        add(bytes, tag_local);
        add(bytes, numbers_.lookup(&value));
    }
}

// What an instruction is beside its operands.
void IrDigest::add_details(Bytes &bytes, const llvm::Instruction &instruction)
{
    if (auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction)) {
        add(bytes, type(*call->getFunctionType()));
        add(bytes, call->getCallingConv());
        add_attributes(bytes, call->getAttributes());
        for (unsigned i = 0; i < call->getNumOperandBundles(); i++)
            add(bytes, call->getOperandBundleAt(i).getTagName());
        if (auto *plain = llvm::dyn_cast<llvm::CallInst>(call))
            add(bytes, plain->getTailCallKind());
    } else if (auto *compare = llvm::dyn_cast<llvm::CmpInst>(&instruction)) {
        add(bytes, compare->getPredicate());
    } else if (auto *place = llvm::dyn_cast<llvm::GetElementPtrInst>(&instruction)) {
        add(bytes, type(*place->getSourceElementType()));
    } else if (auto *slot = llvm::dyn_cast<llvm::AllocaInst>(&instruction)) {
        add(bytes, type(*slot->getAllocatedType()));
        add(bytes, slot->getAlign().value());
    } else if (auto *load = llvm::dyn_cast<llvm::LoadInst>(&instruction)) {
        add(bytes, load->getAlign().value() << 16 | uint64_t(load->isVolatile()) |
                       uint64_t(load->getOrdering()) << 1 | uint64_t(load->getSyncScopeID()) << 8);
    } else if (auto *store = llvm::dyn_cast<llvm::StoreInst>(&instruction)) {
        add(bytes, store->getAlign().value() << 16 | uint64_t(store->isVolatile()) |
                       uint64_t(store->getOrdering()) << 1 |
                       uint64_t(store->getSyncScopeID()) << 8);
    } else if (auto *change = llvm::dyn_cast<llvm::AtomicRMWInst>(&instruction)) {
        add(bytes, change->getAlign().value() << 16 | uint64_t(change->isVolatile()) |
                       uint64_t(change->getOrdering()) << 1 |
                       uint64_t(change->getOperation()) << 8);
        add(bytes, change->getSyncScopeID());
    } else if (auto *exchange = llvm::dyn_cast<llvm::AtomicCmpXchgInst>(&instruction)) {
        add(bytes, exchange->getAlign().value() << 16 | uint64_t(exchange->isVolatile()) |
                       uint64_t(exchange->isWeak()) << 1 |
                       uint64_t(exchange->getSuccessOrdering()) << 4 |
                       uint64_t(exchange->getFailureOrdering()) << 8);
        add(bytes, exchange->getSyncScopeID());
    } else if (auto *fence = llvm::dyn_cast<llvm::FenceInst>(&instruction)) {
        add(bytes, uint64_t(fence->getOrdering()) | uint64_t(fence->getSyncScopeID()) << 8);
    } else if (auto *extract = llvm::dyn_cast<llvm::ExtractValueInst>(&instruction)) {
        for (unsigned index : extract->indices())
            add(bytes, index);
    } else if (auto *insert = llvm::dyn_cast<llvm::InsertValueInst>(&instruction)) {
        for (unsigned index : insert->indices())
            add(bytes, index);
    } else if (auto *shuffle = llvm::dyn_cast<llvm::ShuffleVectorInst>(&instruction)) {
        for (int element : shuffle->getShuffleMask())
            add(bytes, uint64_t(int64_t(element)));
    } else if (auto *pad = llvm::dyn_cast<llvm::LandingPadInst>(&instruction)) {
        add(bytes, pad->isCleanup());
        for (unsigned i = 0; i < pad->getNumClauses(); i++)
            add(bytes, pad->isCatch(i));
    } else if (auto *choice = llvm::dyn_cast<llvm::SwitchInst>(&instruction)) {
        for (auto each : choice->cases())
            add(bytes, constant(*each.getCaseValue())); // no operands since LLVM 22
    } else if (auto *phi = llvm::dyn_cast<llvm::PHINode>(&instruction)) {
        for (const llvm::BasicBlock *block : phi->blocks())
            add(bytes, numbers_.lookup(block));
    }
}

// Kinds that tell the optimiser something about values; those that tell of positions, names and
// aliasing follow from the rest.
void IrDigest::add_metadata(Bytes &bytes, const llvm::Instruction &instruction)
{
    for (unsigned kind :
         {unsigned(llvm::LLVMContext::MD_range), unsigned(llvm::LLVMContext::MD_prof)}) {
        const llvm::MDNode *node = instruction.getMetadata(kind);
        for (unsigned i = 0; node && i < node->getNumOperands(); i++) {
            auto *part = llvm::dyn_cast_or_null<llvm::ConstantAsMetadata>(node->getOperand(i));
            add(bytes, part ? constant(*part->getValue()) : kind);
        }
    }
    for (unsigned kind : {llvm::LLVMContext::MD_nontemporal, llvm::LLVMContext::MD_invariant_load,
                          llvm::LLVMContext::MD_nonnull})
        add(bytes, instruction.getMetadata(kind) != nullptr);
}

void IrDigest::add_instruction(Bytes &bytes, const llvm::Instruction &instruction)
{
    add(bytes, instruction.getOpcode());
    add(bytes, type(*instruction.getType()));
    add(bytes, flags_of(instruction));
    add_details(bytes, instruction);
    if (instruction.hasMetadataOtherThanDebugLoc())
        add_metadata(bytes, instruction);
    for (const llvm::Use &operand : instruction.operands())
        add_operand(bytes, *operand);
}

uint64_t IrDigest::function(const llvm::Function &function)
{
    Bytes bytes;
    add(bytes, signature(function));
    add_attributes(bytes, function.getAttributes());
    add(bytes, function.getSection());
    add(bytes, function.getAlign().valueOrOne().value());
    add(bytes, function.hasGC() ? llvm::StringRef(function.getGC()) : llvm::StringRef());
    if (function.hasPersonalityFn())
        add(bytes, constant(*function.getPersonalityFn()));
    numbers_.clear();
    uint64_t number = 0;
    for (const llvm::Argument &argument : function.args())
        numbers_[&argument] = ++number;
    for (const llvm::BasicBlock &block : function) {
        numbers_[&block] = ++number;
        for (const llvm::Instruction &instruction : block)
            numbers_[&instruction] = ++number;
    }
    for (const llvm::BasicBlock &block : function) {
        add(bytes, numbers_.lookup(&block));
        for (const llvm::Instruction &instruction : block)
            add_instruction(bytes, instruction);
    }
    return digest_of_bytes(bytes);
}

uint64_t IrDigest::lines(const llvm::Function &function)
{
    Bytes bytes;
    const llvm::DISubprogram *program = function.getSubprogram();
    if (!program)
        return 0;
    add(bytes, program->getLine());
    add(bytes, program->getScopeLine());
    for (const llvm::BasicBlock &block : function) {
        for (const llvm::Instruction &instruction : block) {
            const llvm::DebugLoc &place = instruction.getDebugLoc();
            add(bytes, place ? place.getLine() : 0);
            add(bytes, place ? place.getCol() : 0);
        }
    }
    return digest_of_bytes(bytes);
}

uint64_t IrDigest::signature(const llvm::Function &function)
{
    Bytes bytes;
    add(bytes, type(*function.getFunctionType()));
    add(bytes, function.getCallingConv());
    return digest_of_bytes(bytes);
}

} // namespace kiln
