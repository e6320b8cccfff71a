# kiln.py - gdb: tell the generation of a hot library in back traces.
#
#     (gdb) source kiln.py
#     (gdb) bt
#     #0  stride [generation 2] (last=3) at program.c:5
#
# The code of a later generation has symbols of its own, NAME.kiln.gNUMBER, while the debug information names it as the
# source does. Frames of a first generation, and of all that is not hot, look as ever.
import re

import gdb
import gdb.FrameDecorator
import gdb.frames

SYMBOL_OF_GENERATION = re.compile(r"\.kiln\.g(\d+)\b")


def generation_of(pc):
    """The number that the symbol at an address carries, or None."""
    try:
        described = gdb.execute("info symbol 0x%x" % pc, to_string=True)
    except gdb.error:
        return None
    found = SYMBOL_OF_GENERATION.search(described)
    return found.group(1) if found else None


class GenerationDecorator(gdb.FrameDecorator.FrameDecorator):
    def function(self):
        name = super().function()
        frame = self.inferior_frame()
        # An inlined function is part of the code that it is in.
        generation = generation_of(frame.pc())
        if generation is None or not isinstance(name, str):
            return name
        return "%s [generation %s]" % (name, generation)


class GenerationFilter:
    name = "kiln-generations"
    priority = 100
    enabled = True

    def filter(self, frames):
        return map(GenerationDecorator, frames)


gdb.frame_filters[GenerationFilter.name] = GenerationFilter()
