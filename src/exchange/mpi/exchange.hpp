#pragma once

#include <memory>

#include "device/arithmetic.hpp"
#include "exchange/exchange.hpp"
#include "exchange/mpi/ranks.hpp"

namespace ptyle {

/// One rank of the mesh a process: start() takes this rank's stack. The schedule may be of this
/// rank's messages only. Made, started and destroyed by all ranks in the same order, within the
/// world's life. Several exchanges may run at the same time. Arrays live where `arithmetic` says;
/// none: in the host's memory. Throws UserError if the mesh has not as many tiles as there are
/// ranks.
template <class T>
std::unique_ptr<Exchange<T>> make_mpi_exchange(const MpiRanks& ranks, const ExchangePlan& plan,
                                               Arithmetic<T>* arithmetic = nullptr);

}  // namespace ptyle
