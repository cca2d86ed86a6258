#include "python/ranks.hpp"

#include <nanobind/stl/string.h>

#include <vector>

#include "core/error.hpp"
#include "exchange/local/team.hpp"
#ifdef PTYLE_MPI
#include "exchange/mpi/team.hpp"
#include "exchange/mpi/world.hpp"
#endif

namespace nb = nanobind;

namespace ptyle::python {

#ifdef PTYLE_MPI
namespace {
constexpr bool has_mpi = true;
}

Ranks::Ranks(std::size_t address)
    : world_(std::make_unique<MpiWorld>(reinterpret_cast<const void*>(address))),
      team_(make_mpi_team(*world_)) {}

void Ranks::tell_others(bool users_mistake, const std::string& sentence) const {
  if (several() && !broken()) world_->tell_others(users_mistake ? 2 : 1, sentence);
}

bool Ranks::broken() const { return world_ && world_->broken(); }
#else
}  // namespace ptyle::python

namespace ptyle {
class MpiWorld {};
}  // namespace ptyle

namespace ptyle::python {
namespace {
constexpr bool has_mpi = false;
std::string mpi_library() { return ""; }
}  // namespace

Ranks::Ranks(std::size_t /*address*/) {
  throw UserError("this ptyle is built without MPI, and runs on one process");
}
void Ranks::tell_others(bool /*users_mistake*/, const std::string& /*sentence*/) const {}
bool Ranks::broken() const { return false; }
#endif

Ranks::Ranks() : team_(make_local_team()) {}
Ranks::~Ranks() {
  // Messages may be on their way to what they share.
  if (!broken()) return;
  static_cast<void>(team_.release());
  static_cast<void>(world_.release());
}

bool Ranks::any(bool here) const {
  std::vector<double> said{here ? 1.0 : 0.0};
  team_->maximum(said);
  return said[0] > 0;
}

void bind_ranks(nb::module_& m) {
  m.attr("has_mpi") = has_mpi;
  m.def("mpi_library", &mpi_library);
  nb::class_<Ranks>(m, "Ranks")
      .def(nb::init<>())
      .def(nb::init<std::size_t>(), nb::arg("address"))
      .def_prop_ro("rank", &Ranks::rank)
      .def_prop_ro("size", [](const Ranks& r) { return r.team().size(); })
      .def(
          "any", [](const Ranks& r, bool here) { return r.together([&] { return r.any(here); }); },
          nb::arg("here"))
      .def("tell_others", &Ranks::tell_others, nb::arg("users_mistake"), nb::arg("sentence"));
}

}  // namespace ptyle::python
