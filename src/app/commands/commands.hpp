#pragma once

// The commands of the program. Each adds itself to the command line with its options and help, and
// says what is to be done where it is chosen; that returns the exit status.

#include <CLI/CLI.hpp>
#include <functional>

namespace ptyle {

namespace exit_status {
inline constexpr int done = 0, our_fault = 1, your_mistake = 2, stopped = 3, interrupted = 130;
}

class Team;

/// The work of a command, done by the ranks that the program was started as.
using Command = std::function<int(Team&)>;

/// Throws UserError where a command that works as one process was started as several; `besides` is
/// what its user may do in their place.
void alone(const Team& team, const char* command, const char* besides = "");

void add_simulate(CLI::App& app, Command& chosen);
void add_reconstruct(CLI::App& app, Command& chosen);
void add_inspect(CLI::App& app, Command& chosen);
void add_compare(CLI::App& app, Command& chosen);
void add_plan(CLI::App& app, Command& chosen);
void add_tune(CLI::App& app, Command& chosen);

}  // namespace ptyle
