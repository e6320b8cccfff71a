// warm_up.h - work done ahead of need, so that jobs find it done.
//
// None of it changes what jobs do; all of it may fail or be skipped.
#pragma once

namespace kiln
{

// In the zygote, at start: what every job needs (the processor's targets).
void register_targets();
// In the zygote, while nothing else is to do: a tiny compile and link in memory, which initialises
// option tables, pass registries and the like, and touches the code that jobs run. Takes some 20
// ms.
void warm_zygote();
// In a waiting child, until `channel` becomes readable: make the memory that a small job writes to
// its own already.
void warm_child(int channel);

} // namespace kiln
