#pragma once

// Patterns that a program gives in place of data.file: in memory, or by what reads them.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "core/array.hpp"
#include "core/grid.hpp"
#include "core/keys.hpp"
#include "prepare/config.hpp"
#include "prepare/frames.hpp"

namespace ptyle {

/// The same whole set on every process, of which each copies what it keeps while it is opened. The
/// configuration says the rest, as it does of a file that states nothing itself: data.* how the
/// frames lie, calibration.*, optics.* and scan.unit (Å where it says nothing), but for `facts`.
struct PatternsInMemory {
  /// (N, ky, kx) counts, detector frames as a file would hold them, of any of these types; or what
  /// reads them.
  std::variant<std::shared_ptr<FrameSource>, View<const float, 3>, View<const double, 3>,
               View<const std::uint8_t, 3>, View<const std::int8_t, 3>,
               View<const std::uint16_t, 3>, View<const std::int16_t, 3>,
               View<const std::uint32_t, 3>, View<const std::int32_t, 3>,
               View<const std::int64_t, 3>>
      frames;
  /// One for each frame; or none, and scan.step and data.scan_shape make a raster.
  std::vector<Position> positions{};
  /// (ky, kx), not 0: bad. Empty: none, or data.mask, "file.h5:/dataset".
  View<const std::uint8_t, 2> bad{};
  std::array<i64, 2> scan_shape{};  ///< (slow, fast) where the frames are a raster; else 0
  FileFacts facts{};                ///< what is known of them; taken where the user gave nothing
};

/// As prepare() reads them; valid as long as the patterns are.
std::unique_ptr<FrameSource> frames_of(const PatternsInMemory& patterns);

/// The positions in the order of `scan`; nothing where there are none.
std::optional<RawPositions> positions_of(const PatternsInMemory& patterns, const ScanConfig& scan);

/// Faults: there are no frames, or the configuration names what is there in memory already.
std::vector<KeyFault> faults_of(const PatternsInMemory& patterns, const DataConfig& data,
                                const ScanConfig& scan);

}  // namespace ptyle
