#include "noisy.h"

__attribute__((init_priority(150))) Noisy earlier("earlier, other unit");
