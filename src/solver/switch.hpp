#pragma once

#include <array>

#include "core/choice.hpp"

namespace ptyle {

enum class Switch { automatic, on, off };
constexpr auto choices(Switch) {
  return std::to_array<Named<Switch>>(
      {{Switch::automatic, "auto"}, {Switch::on, "on"}, {Switch::off, "off"}});
}

}  // namespace ptyle
