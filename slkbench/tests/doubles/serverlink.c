// The same functions under ServerLink's prefix.
#define PREFIXED(name) slk_##name
#include "forward.h"
