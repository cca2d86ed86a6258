#pragma once

#include <limits>
#include <map>
#include <string>

#include "core/array.hpp"

namespace ptyle {

/// The multi-resolution schedule. Descent from an empty object loses its way in a thick specimen of
/// heavy atoms: the error falls and the object is wrong. So the fit starts with few degrees of
/// freedom, and gets more each time the error stalls: laterally (the gradient is low-passed at k_c,
/// and detector pixels beyond k_c + the aperture are left out) and in depth (slices are binned in
/// blocks).
class Continuation {
 public:
  struct Scale {
    double aperture_k = 0;  ///< semi-angle / λ, 1/Å
    double nyquist_k = 0;   ///< 1 / (2 pixel), 1/Å
    i64 slices = 1;
    double depths_of_focus = 1;  ///< thickness over λ/α²
  };

  /// No continuation: everything is free from the start.
  Continuation() = default;
  explicit Continuation(const Scale& scale);

  /// The specimen's thickness (Å) over the depth of focus λ/α².
  static double depths_of_focus(double thickness, double semi_angle, double wavelength) {
    return thickness * semi_angle * semi_angle / wavelength;
  }
  /// True if continuation is needed. Lead titanate of 0.45 depths of focus was seen to end in a
  /// wrong minimum without.
  static bool thick(double depths_of_focus) { return depths_of_focus > 0.2; }

  /// 0: no lateral limit any more.
  [[nodiscard]] double k_c() const { return k_c_; }
  /// Slices binned together; 1: free.
  [[nodiscard]] i64 block() const { return block_; }
  [[nodiscard]] bool finished() const { return k_c_ == 0 && block_ <= 1; }
  /// True while a probe that moved would take up what belongs to the object.
  [[nodiscard]] bool holds_probe() const;
  /// True once the object is as free as positions need it to move.
  [[nodiscard]] bool nearly_finished() const { return block_ <= 1 && !holds_probe(); }
  /// "k < 0.60 1/Å, slices binned by 10"; empty when finished.
  [[nodiscard]] std::string describe() const;

  /// Takes an iteration's R-factor; true if the stage changed. `hold_slices`: they stay binned as
  /// they are, and where only they are left to be freed the stage stays.
  bool advance(double r_factor, bool hold_slices = false);

  /// The stage, by name, for a checkpoint; and back to it.
  [[nodiscard]] std::map<std::string, double> state() const;
  void restore(const std::map<std::string, double>& state);

 private:
  void free_more(bool hold_slices);

  Scale scale_;
  double k_c_ = 0;
  i64 block_ = 1;
  double previous_ = std::numeric_limits<double>::infinity();
};

}  // namespace ptyle
