// warm_up.h - work done ahead of need, so that jobs find it done.
#pragma once

namespace kiln
{

// In the zygote, at start: what every job needs (the processor's targets).
void register_targets();
// In the zygote, while nothing else is to do: a tiny compile and link in memory, which initialises option tables, pass
// registries and the like for all later children. Takes some 10 ms.
void warm_zygote();void warm_child(int);void warm_memory();

} // namespace kiln
