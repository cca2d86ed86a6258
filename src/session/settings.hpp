#pragma once

// The settings of the fit by configuration and measurement: the same for a run and for its plan.

#include <functional>
#include <string>

#include "operator/operator.hpp"
#include "prepare/experiment.hpp"
#include "session/config.hpp"
#include "session/division.hpp"
#include "solver/fit.hpp"
#include "solver/variables/geometry_options.hpp"

namespace ptyle {

/// Threads of a process where the user gave none: its part of the machine's cores; what the
/// launcher has bound it to, or OMP_NUM_THREADS, where that is less.
int default_threads(int processes_on_node);

/// The folder, or the nearest above it that exists; "." where none of its names does.
std::string nearest_folder(const std::string& folder);

/// The fault of a folder that is to be made or written into; none: nullopt.
std::optional<std::string> fault_of_folder(const std::string& folder);

/// The folder for patterns that memory does not hold: output.scratch, by default that of the result
/// or the nearest above it, without one the system's temporary folder.
std::string scratch_folder(const OutputConfig& output);

/// The division that a configuration asks for (session/division); Å, or px where pixel = 1.
Division divide(const ReconstructConfig& config, std::span<const Position> positions, i64 window,
                double pixel, int ranks);
/// The same of the rank alone that `only` names, which is asked once the mesh is known; −1: of all.
Division divide(const ReconstructConfig& config, std::span<const Position> positions, i64 window,
                double pixel, int ranks, const std::function<int(const Mesh&)>& only);
/// Planes that its ranks exchange together at most.
i64 planes_of(const ReconstructConfig& config);
/// The cut that it asks for, along these cores.
Cut cut_along(const Cores& cores, const ScanOnObject& scan, double pixel,
              const ReconstructConfig& config);

/// The parts of its fit, with what the division decided of them: the rule by which the object
/// moves, with its preconditioner, and whether positions are refined.
PartOptions settled_parts(const ReconstructConfig& config, const Cut& cut);
/// Division::transfer_reach.
i64 transfer_reach(const ReconstructConfig& config, const Experiment& experiment);

/// Mean over the window.
double counts_per_detector_pixel(const Experiment& experiment);

/// The loss, chosen where it is auto: if most pixels have no count, √y is on average far below √I,
/// and the amplitude loss makes what scatters weak; the Poisson loss does not.
Loss loss_of(const ReconstructConfig& config, const Experiment& experiment);

/// Throws UserError where several slices have no wavelength.
OperatorSetup operator_setup(const ReconstructConfig& config, const Experiment& experiment);

/// Counts of the whole scan per object pixel; infinite where the values are perhaps no counts.
double counts_per_object_pixel(const Experiment& experiment, const Cut& cut);

/// Geometry that is fitted, with what it starts from.
GeometryOptions geometry_options(const ReconstructConfig& config, const Experiment& experiment,
                                 const Cut& cut);

FitOptions fit_options(const ReconstructConfig& config, const Experiment& experiment,
                       const Cut& cut, int threads);

}  // namespace ptyle
