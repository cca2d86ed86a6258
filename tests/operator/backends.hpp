#pragma once

// The backends that every operator test runs on.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "operator/operator.hpp"

namespace ptyle::test {

struct Reference {
  using T = double;
  static constexpr const char* name = "Reference";
  static std::unique_ptr<Operator<T>> make(const OperatorSetup& setup, int /*threads*/ = 1) {
    return make_reference_operator(setup);
  }
};

struct CpuDouble {
  using T = double;
  static constexpr const char* name = "CpuDouble";
  static std::unique_ptr<Operator<T>> make(const OperatorSetup& setup, int threads = 1) {
    return make_cpu_operator<T>(setup, threads);
  }
};

struct CpuFloat {
  using T = float;
  static constexpr const char* name = "CpuFloat";
  static std::unique_ptr<Operator<T>> make(const OperatorSetup& setup, int threads = 1) {
    return make_cpu_operator<T>(setup, threads);
  }
};

struct BackendName {
  template <class Backend>
  static std::string GetName(int) {
    return Backend::name;
  }
};

using AllBackends = testing::Types<Reference, CpuDouble, CpuFloat>;
using DoubleBackends = testing::Types<Reference, CpuDouble>;
using FastBackends = testing::Types<CpuDouble, CpuFloat>;

}  // namespace ptyle::test
