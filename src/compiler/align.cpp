// align.cpp - see align.h. Lists are short: the static variables of one name in one function.
#include "compiler/align.h"

#include <algorithm>

namespace kiln
{
namespace
{

bool same_kinds(const std::vector<AlignItem> &before, const std::vector<AlignItem> &now)
{
    return before.size() == now.size() &&
           std::equal(before.begin(), before.end(), now.begin(),
                      [](const AlignItem &a, const AlignItem &b) { return a.kind == b.kind; });
}

// Lengths of longest common subsequences of the tails from (i, j) on, and how many there are, as
// sets of pairs (saturating at 2).
struct Table {
    Table(const std::vector<AlignItem> &before, const std::vector<AlignItem> &now)
        : columns(now.size() + 1), length((before.size() + 1) * columns),
          count((before.size() + 1) * columns, 1)
    {
        for (size_t i = before.size(); i-- > 0;) {
            for (size_t j = now.size(); j-- > 0;) {
                size_t best = std::max(at(i + 1, j), at(i, j + 1));
                unsigned ways = 0;
                bool same = before[i].exact == now[j].exact;
                if (same && at(i + 1, j + 1) + 1 >= best) {
                    best = at(i + 1, j + 1) + 1;
                    ways += ways_at(i + 1, j + 1);
                }
                if (at(i + 1, j) == best)
                    ways += ways_at(i + 1, j);
                if (at(i, j + 1) == best)
                    ways += ways_at(i, j + 1);
                // Those that leave out both were counted twice.
                if (at(i + 1, j + 1) == best && at(i + 1, j) == best && at(i, j + 1) == best)
                    ways -= std::min(ways, ways_at(i + 1, j + 1));
                length[i * columns + j] = best;
                count[i * columns + j] = std::min(ways, 2u);
            }
        }
    }
    size_t at(size_t i, size_t j) const
    {
        return length[i * columns + j];
    }
    unsigned ways_at(size_t i, size_t j) const
    {
        return count[i * columns + j];
    }

    size_t columns;
    std::vector<size_t> length;
    std::vector<unsigned> count;
};

// Between two pairs: what is left over, if it is one of a kind on both sides, is the same, changed.
void match_leftovers(const std::vector<AlignItem> &before, size_t begin, size_t end,
                     const std::vector<AlignItem> &now, size_t now_begin, size_t now_end,
                     Alignment &result)
{
    if (end - begin == 1 && now_end - now_begin == 1) {
        result.before[now_begin] = begin;
        return;
    }
    for (size_t j = now_begin; j < now_end; j++) {
        size_t found = Alignment::none, count = 0, rivals = 0;
        for (size_t i = begin; i < end; i++) {
            if (before[i].kind == now[j].kind) {
                found = i;
                count++;
            }
        }
        for (size_t k = now_begin; k < now_end; k++)
            rivals += now[k].kind == now[j].kind;
        if (count == 1 && rivals == 1)
            result.before[j] = found;
        else if (count > 0)
            result.is_ambiguous = true;
    }
}

} // namespace

Alignment align(const std::vector<AlignItem> &before, const std::vector<AlignItem> &now)
{
    Alignment result;
    result.before.assign(now.size(), Alignment::none);
    if (same_kinds(before, now)) {
        for (size_t j = 0; j < now.size(); j++)
            result.before[j] = j;
        return result;
    }
    if (before.empty())
        return result;
    Table table(before, now);
    result.is_ambiguous = table.at(0, 0) > 0 && table.ways_at(0, 0) > 1;
    size_t i = 0, j = 0, begin = 0, now_begin = 0;
    while (i < before.size() && j < now.size()) {
        if (before[i].exact == now[j].exact && table.at(i, j) == table.at(i + 1, j + 1) + 1) {
            match_leftovers(before, begin, i, now, now_begin, j, result);
            result.before[j] = i;
            begin = ++i;
            now_begin = ++j;
        } else if (table.at(i + 1, j) >= table.at(i, j + 1)) {
            i++;
        } else {
            j++;
        }
    }
    match_leftovers(before, begin, before.size(), now, now_begin, now.size(), result);
    return result;
}

} // namespace kiln
