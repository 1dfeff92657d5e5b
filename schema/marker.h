/* marker.h - the bits of the column messages.markers, from marker.def: the sensor sets them, analyzer and readers of the store ask for them. */
#ifndef SCHEMA_MARKER_H
#define SCHEMA_MARKER_H

#include <stdint.h>

enum marker {
#define MARKER(bit, name, field, value, closer) MARKER_##name = bit,
#include "schema/marker.def"
#undef MARKER
};

#define MARKER_BIT(name) (UINT64_C(1) << MARKER_##name)

#endif
