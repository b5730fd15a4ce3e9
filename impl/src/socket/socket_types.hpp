#pragma once

#include <memory>

namespace slk {

class context;
class socket;

// One per socket type, each in its own file. They throw where descriptors or memory are out.
std::unique_ptr<socket> make_pair(context& home);
std::unique_ptr<socket> make_dealer(context& home);
std::unique_ptr<socket> make_router(context& home);
std::unique_ptr<socket> make_pull(context& home);
std::unique_ptr<socket> make_push(context& home);

}  // namespace slk
