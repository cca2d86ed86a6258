// ptyle._core: the session for Python. Arguments are checked and made plain by the package's Python
// files; here are only calls of the session.

#include "python/data.hpp"
#include "python/errors.hpp"
#include "python/ranks.hpp"
#include "python/variables.hpp"

NB_MODULE(_core, m) {
  m.doc() = "The session of ptyle; use the package ptyle.";
  m.attr("version") = PTYLE_VERSION;
  // A script's run that holds a function or variable of the same script is a circle through the
  // script's names, which nobody can take apart at its end: no reason for a message.
  nanobind::set_leak_warnings(false);
  ptyle::python::translate_exceptions();
  ptyle::python::bind_ranks(m);
  ptyle::python::bind_data(m);
  ptyle::python::bind_mini_batch(m);
  ptyle::python::bind_reconstruction(m);
  ptyle::python::bind_commands(m);
}
