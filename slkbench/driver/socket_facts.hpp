// What the kernel says of the stream sockets of this process: how a library really set them.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace slkbench {

// Option by name of each connected socket of tcp or ipc, in the order of descriptors.
std::vector<std::map<std::string, int>> read_socket_facts();

}  // namespace slkbench
