// align.h - which items of a list that was edited are which of the list before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kiln
{

// What an item is compared by: `exact` (all of it), then `kind` (what has to be the same for it to
// be the same thing at all).
struct AlignItem {
    uint64_t exact = 0, kind = 0;
};

struct Alignment {
    static constexpr size_t none = size_t(-1);
    std::vector<size_t> before; // of each new item: the index of the old one, or none
    bool is_ambiguous = false;  // equally good alignments exist that differ in more than order
};

// Lists of the same length and kinds are the same things in their order. Otherwise: a longest common
// subsequence of exact items (Hirschberg 1975, by the plain table), then, between two such pairs,
// single leftovers of one kind.
Alignment align(const std::vector<AlignItem> &before, const std::vector<AlignItem> &now);

} // namespace kiln
