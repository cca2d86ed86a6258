#pragma once

// The start of a fit: the object's frame, the probe scaled to the data, earlier results.

#include <array>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/box.hpp"
#include "core/grid.hpp"
#include "physics/aberrations.hpp"
#include "prepare/experiment.hpp"
#include "solver/config.hpp"
#include "solver/states.hpp"

namespace ptyle {

/// The aberrations that a configuration gives, in Å and rad.
Aberrations aberrations_of(const OpticsConfig& optics);

/// The object that the windows reach, and the positions on it.
struct ObjectFrame {
  i64 rows = 0, cols = 0;
  std::vector<Position> positions;  ///< px from object pixel [0,0]
  [[nodiscard]] Box box() const { return {{0, rows}, {0, cols}}; }
  Position origin;  ///< of object pixel [0,0], in the positions' unit (Å or px)
};

/// The smallest object that holds every window W of positions `at` (Å, or px where pixel = 1), also
/// where each moves by `margin` px.
/// Throws UserError where they span more than any object.
ObjectFrame frame_object(std::span<const Position> at, i64 window, double pixel, i64 margin = 0);

/// The probe's modes (M, W, W) to start with, scaled so that their pattern has the data's mean
/// counts on the valid pixels, or probe.counts where they are given. Where optics.source_size or
/// focal_spread are given they are the strongest modes of such a beam, of which `log` is told
/// (operator/coherence).
Array<Complex<double>, 3> start_probe(const ProbeConfig& config, const Experiment& experiment,
                                      Ledger* ledger = nullptr,
                                      const std::function<void(const std::string&)>& log = {});

/// The bytes that it books as "probe" at most. Where the beam is not coherent half of its work
/// finds them, but as of a coherent one where the mean pattern that it starts from is not known.
double start_probe_bytes(const ProbeConfig& config, const Experiment& experiment);

/// Phase and absorption (empty unless `absorption`) to start with, of the part `box` of the object,
/// (states · slices, rows, columns): vacuum, or an earlier result moved into this frame, its slices
/// shared out among this fit's by thickness, between so many slices of vacuum at the top and at the
/// bottom. Each state starts from its own in a result of as many; else all from the mean, with the
/// noise of part_states.
struct ObjectStart {
  Array<float, 3> phase, absorption;
  std::string note;  ///< the sentence about an earlier result's states; empty: it has one
};
ObjectStart start_object(const ObjectConfig& config, const ObjectFrame& frame, const Box& box,
                         double pixel, bool absorption, std::array<int, 2> vacuum = {},
                         const StatesOptions& states = {}, Ledger* ledger = nullptr);

/// The same start (slices, rows, columns) for each of several states, (states · slices, rows,
/// columns), with noise of the phase within 0.01 rad by which they can part: alike, they would stay
/// alike. Its values are those of voxels of the whole object, whatever the part; slices of vacuum
/// at the top and at the bottom have none.
void part_states(ObjectStart& start, i64 states, const Box& box, std::array<int, 2> vacuum = {});

/// The waves of a probe so many slices further up the beam.
void start_above(Array<Complex<double>, 3>& probe, int slices, const ObjectConfig& config,
                 const Experiment& experiment);

}  // namespace ptyle
