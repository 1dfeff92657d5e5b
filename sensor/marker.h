/* marker.h - the bits of fact_message.markers, from marker.def; the analyzer reads them from messages.markers. */
#ifndef SENSOR_MARKER_H
#define SENSOR_MARKER_H

#include <stdint.h>

enum marker {
#define MARKER(bit, name, field, value, closer) MARKER_##name = bit,
#include "sensor/marker.def"
#undef MARKER
};

#define MARKER_BIT(name) (UINT64_C(1) << MARKER_##name)

#endif
