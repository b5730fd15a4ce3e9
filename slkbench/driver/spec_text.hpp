// A workload as the words of a command line, such as transport=tcp size_bytes=64.
#pragma once

#include <string_view>
#include <vector>

#include "failure.hpp"
#include "workload_spec.hpp"

namespace slkbench {

// Sets the fields that `words` name and leaves the others as they are. The keys and the values of
// choices are those of the Python EndpointSpec.
failure read_spec(const std::vector<std::string_view>& words, workload_spec& spec);

}  // namespace slkbench
