#pragma once

#include <memory>
#include <vector>

#include "solver/course.hpp"

namespace ptyle {

/// The course that the options and the exchange ask for; nothing for the default one.
template <class T>
std::unique_ptr<Course<T>> make_paper_course(Workspace<T>& with, Movers<T> movers,
                                             Descent<T>& descent);
/// Declares what these courses need, as they do themselves, for plans.
template <class T>
void declare_paper_fields(State<T>& state, const OperatorSetup& setup, const FitOptions& options,
                          const Sharing& sharing);
/// The faults of options that do not go together.
std::vector<KeyFault> faults_of_paper_options(const FitOptions& options, Scheme scheme);

}  // namespace ptyle
