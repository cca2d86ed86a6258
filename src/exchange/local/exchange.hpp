#pragma once

#include <memory>

#include "device/arithmetic.hpp"
#include "exchange/exchange.hpp"

namespace ptyle {

/// All ranks of the mesh in this process: start() takes the stacks of all of them, by rank. Rounds
/// run one after the other, chunk by chunk, in progress() or finish(). The schedule must be one of
/// all messages. Arrays live where `arithmetic` says; none: in the host's memory.
template <class T>
std::unique_ptr<Exchange<T>> make_local_exchange(const ExchangePlan& plan,
                                                 Arithmetic<T>* arithmetic = nullptr);

}  // namespace ptyle
