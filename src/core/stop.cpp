#include "core/stop.hpp"

#include <utility>

#include "core/crew.hpp"

namespace ptyle {
namespace {

thread_local const std::function<bool()>* asked_now = nullptr;

}  // namespace

StopGuard::StopGuard(std::function<bool()> asked)
    : asked_(std::move(asked)), before_(std::exchange(asked_now, &asked_)) {}
StopGuard::~StopGuard() { asked_now = before_; }

void stop_point() {
  if (asked_now && !Crew::at_work() && (*asked_now)()) throw Stopped{};
}

}  // namespace ptyle
