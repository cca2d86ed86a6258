#pragma once

#include <memory>

#include "exchange/delivery.hpp"

namespace ptyle {

/// All ranks in this process: pieces are copied in finish().
std::unique_ptr<Delivery> make_local_delivery();

}  // namespace ptyle
