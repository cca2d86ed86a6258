#pragma once

// Commands of the Python package of the same version: the program hands them on.

#include <CLI/CLI.hpp>

namespace ptyle {

/// Lists them in `ptyle --help`.
void add_python_commands(CLI::App& app);

/// This process becomes `python3 -m ptyle COMMAND …` if argv[1] is one of them, by the python3
/// beside the program, as in a virtual environment, or else by that of $PATH. A sentence with the
/// line that installs the package, and status 2, where there is none. Returns for every other
/// command.
void run_python_command(int argc, char** argv);

}  // namespace ptyle
