#pragma once

#include <memory>

#include "exchange/delivery.hpp"
#include "exchange/mpi/ranks.hpp"

namespace ptyle {

/// One rank a process. Made and used by all ranks in the same order, within the world's life.
std::unique_ptr<Delivery> make_mpi_delivery(const MpiRanks& ranks);

}  // namespace ptyle
