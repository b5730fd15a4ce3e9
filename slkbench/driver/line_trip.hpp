// How far two CPUs are from each other: what whoever hands messages from one to the other pays.
#pragma once

#include <optional>

namespace slkbench {

// The time in ns in which a cache line travels from one CPU to the other and back: the smallest of
// several means, so that who was interrupted meanwhile is not counted. Takes a few milliseconds on
// threads of its own. Nothing where that cannot be told: the two are one, one of them may not be
// used, or they were not both to be had within 20 ms.
std::optional<double> line_trip_ns(int first_cpu, int second_cpu);

}  // namespace slkbench
