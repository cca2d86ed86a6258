#pragma once

#include <memory>

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
/// Throws UserError for options that do not go together.
void check_paper_options(const FitOptions& options, const Sharing& sharing);

}  // namespace ptyle
