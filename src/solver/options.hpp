#pragma once

// The input of a fit: data, options, a start.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"
#include "core/keys.hpp"
#include "core/pattern.hpp"
#include "solver/continuation.hpp"
#include "solver/part_options.hpp"
#include "solver/sharing.hpp"

namespace ptyle {

/// How patterns go from process to process, where each process holds those of its own positions.
struct PatternHands {
  std::size_t bytes = 0;  ///< of each; 0: none goes, as every process has all of them
  std::function<const void*(i64)> held;  ///< those of a pattern; they stay until it is dropped
  /// Room for one that comes, which is held from now on. Throws UserError if there is no memory.
  std::function<void*(i64)> take;
  std::function<void(i64)> drop;  ///< one that has gone
};

/// The measurement, and its positions.
template <class T>
struct FitData {
  std::span<const Position> positions;  ///< on the object, px; of all ranks; they stay there
  std::function<void(i64, T*)> load;    ///< the i-th pattern, W·W, DC at [0,0]; thread-safe; asked
                                        ///< only for those of this process's tiles
  /// The same as it is held, for an operator that keeps patterns on a device; may be empty.
  std::function<RawPattern(i64)> raw;
  /// These, of this process's tiles, are asked for next; may be empty.
  std::function<void(std::span<const i64>)> will_load;
  PatternHands hands = {};
  View<const T, 2> valid;  ///< W·W, 0 or 1, DC at [0,0]; empty: all valid
  double dk = 0;           ///< detector pixel, 1/Å

  /// Is a pixel that has y measured, as it is valid and y is not below 0?
  [[nodiscard]] bool is_measured(i64 pixel, T y) const {
    return y >= 0 && (valid.empty() || valid.data[pixel] > 0);
  }
};

enum class Update {
  /// V ← V_sync − step·direction of the total, from what all copies agreed on last: copies stay
  /// equal.
  consistent,
  /// Algorithm 1 of the paper as printed, for comparison: each position's own gradient is applied
  /// at once, and the total, which has it again, on top. Copies drift apart.
  literal
};

struct FitOptions {
  i64 batches = 20;  ///< mini-batches an iteration
  /// By position: the groups they are dealt by; none: one.
  std::shared_ptr<const std::vector<int>> group_of = {};
  [[nodiscard]] std::span<const int> groups() const {
    return group_of ? std::span<const int>(*group_of) : std::span<const int>();
  }
  double hold_out = 0;         ///< fraction of the patterns kept out of the fit
  std::vector<i64> left_out;   ///< positions whose patterns are no measurement, ascending
  double hold_out_pixels = 0;  ///< fraction of the detector pixels of every pattern, likewise
  std::uint64_t seed = 0;
  int threads = 1;
  int probe_from = 2;  ///< first iteration that refines the probe, at the earliest when the
                       ///< continuation's lateral limit is gone; 0: never
  double probe_step = 0.5;
  double phase_min = -1e30, phase_max = 1e30;  ///< rad a voxel
  double pixel = 1;                            ///< Å
  double aperture_k = 0;                       ///< semi-angle / λ, 1/Å
  Continuation continuation;
  PartOptions parts = known_parts();  ///< the rule, regularisers and the like

  Update update = Update::consistent;
  /// A rank applies its own gradient at once after each so many of its positions, until the next
  /// exchange replaces it by the total; 0: never. The result then depends on the mesh.
  i64 local_positions = 0;
  /// The sum travels while the next mini-batch is computed; meanwhile each rank goes on with its
  /// own part, which the total then replaces. The result depends on the mesh. Not with steps of its
  /// own in between, literal or local; one rank has no exchange.
  bool exchange_behind = false;
  /// The exchange of voxels: a rank also fits positions of its neighbours, as far as this from its
  /// core, px.
  i64 extra = 0;
  /// Voxels are exchanged at the end of an iteration alone, not after every mini-batch.
  bool exchange_at_end = false;
  bool verify = false;  ///< copies of a voxel are compared after every exchange
};

/// The options as a fit uses them; `alone`: of one rank.
FitOptions settled(FitOptions options, bool alone);

/// True where gradients are summed over so many ranks after every mini-batch. The paper's own
/// schemes do otherwise, for which neither penalties nor refined positions are made.
bool sums_every_batch(const FitOptions& options, Scheme scheme, int ranks);
/// The fault of a key that needs such sums.
std::string needs_sums();

/// The faults of options that do not go together with so many slices, whatever the measurement and
/// the mesh, one of each key. Throws UserError for two rules.
std::vector<KeyFault> faults_of_options(const FitOptions& options, Scheme scheme, int ranks,
                                        i64 slices);
/// Throws UserError for these, and for options that do not go with what is shared so.
void check_options(const FitOptions& options, const Sharing& sharing, i64 slices);

/// The start of a tile, (S, y, x) on its extended tile; `absorption` is empty for a potential
/// object.
template <class T>
struct TileStart {
  Array<T, 3> phase, absorption;
};

}  // namespace ptyle
