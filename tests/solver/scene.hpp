#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <utility>

#include "core/random.hpp"
#include "exchange/local/team.hpp"
#include "operator/probe.hpp"
#include "physics/propagator.hpp"
#include "solver/fit.hpp"
#include "solver/regularisers/blur.hpp"
#include "solver/states.hpp"
#include "solver/variables/geometry_options.hpp"
#include "solver/variables/variable_probe_options.hpp"
#include "tiles/bisection.hpp"

namespace ptyle::test {

// A small electron microscope: 32² window of 0.4 Å at 200 kV, 25 mrad, 5 × 5 positions 1.6 Å apart,
// two slices of smooth blobs.
class FitScene {
 public:
  static constexpr i64 window = 32, slices = 2, side = 5;
  static constexpr double pixel = 0.4, wavelength = 0.025;

  /// Another scan, whose positions are not quite where it says.
  struct Scan {
    i64 side = FitScene::side;
    double step = 4;                          ///< px
    i64 margin = 0;                           ///< px of object beyond all windows
    std::vector<Position> displacement = {};  ///< of each position, px; empty: none
    bool vacuum = false;                      ///< no blobs
    i64 lines = 0;                            ///< of `side` positions each; 0: as many
    double jitter = 0;                        ///< px, that the scan knows of
    double angle = 0;                         ///< rad, of its lines to the object's rows
    double defocus = 80;                      ///< Å, of the probe that made the patterns
    double thickness = 10;                    ///< Å, of slices, likewise
    Tilt tilt = {};                           ///< rad, likewise
    bool alike = false;                       ///< all slices hold the same
    Matrix2 descan = {};                      ///< px/Å, of positions from the mean of all
    std::vector<double> states = {1};         ///< shares of the object's states, each other blobs
  };

  /// Noise-free; or patterns of so many counted electrons, to be fitted by the Poisson loss.
  explicit FitScene(double electrons = 0) : FitScene(electrons, Scan()) {}
  FitScene(double electrons, const Scan& scan) : margin_(scan.margin) {
    const double dk = 1 / (window * pixel);
    setup_.window = window;
    setup_.slices = slices;
    setup_.epsilon = 1e-9;
    setup_.propagator = propagator(window, pixel, wavelength, scan.thickness, scan.tilt);
    const auto wave = form_probe({wavelength, 0.025, {.C10 = -scan.defocus}}, window, pixel);
    probe_ = Array<Complex<double>, 3>({1, window, window});
    std::copy(wave.begin(), wave.end(), probe_.begin());
    if (electrons > 0) {
      for (auto& v : probe_) v *= std::sqrt(electrons) / window;
      setup_.loss = Loss::poisson;
      setup_.epsilon = 1e-2 * electrons / (window * window);
    }
    const auto first = double(window / 2 + scan.margin);
    Philox known(9, 0, 0);
    for (i64 r = 0; r < (scan.lines > 0 ? scan.lines : scan.side); ++r)
      for (i64 c = 0; c < scan.side; ++c) {
        const double row = scan.jitter * (2 * known.uniform() - 1);
        positions_.push_back(
            {first + scan.step * double(r) + row, first + scan.step * double(c) + 0.3});
      }
    const double length = scan.step * double(scan.side - 1);
    if (scan.angle != 0) turn(scan.angle, first + length / 2);
    n_ = window + i64(std::ceil(length)) + 2 + 2 * scan.margin;
    truth_ = Array<double, 3>({std::ssize(scan.states) * slices, n_, n_});
    Philox random(5, 0, 0);
    for (i64 s = 0; s < (scan.vacuum ? 0 : truth_.shape()[0]); ++s)
      for (i64 blob = 0; blob < n_ * n_ / 100; ++blob) {
        const double y0 = random.uniform() * double(n_), x0 = random.uniform() * double(n_);
        for (i64 y = 0; y < n_; ++y)
          for (i64 x = 0; x < n_; ++x)
            truth_(s, y, x) +=
                0.3 *
                std::exp(-0.5 * (std::pow(double(y) - y0, 2) + std::pow(double(x) - x0, 2)) / 2.25);
      }
    for (i64 s = 1; s < (scan.alike ? slices : 0); ++s)
      std::copy_n(truth_.data(), n_ * n_, truth_.data() + s * n_ * n_);
    dk_ = dk;
    patterns_ = Array<double, 3>({i64(positions_.size()), window, window});
    OperatorSetup measuring = setup_;
    measuring.descan = true;
    measuring.states = measuring.modes = std::ssize(scan.states);
    measuring.basis = 1;
    std::vector<Complex<double>> roots;
    for (const double share : scan.states) roots.emplace_back(std::sqrt(share));
    auto op = make_cpu_operator<double>(measuring, 1);
    op->set_object({truth_.view(), {}});
    op->set_probe(probe_);
    Array<Complex<double>, 3> exit({measuring.modes, window, window});
    Position middle;
    for (const Position& at : positions_) {
      middle.row += at.row / double(positions_.size());
      middle.col += at.col / double(positions_.size());
    }
    for (std::size_t i = 0; i < positions_.size(); ++i) {
      Position at = positions_[i];
      const Vector2 by =
          times(scan.descan, Vector2{pixel * (at.row - middle.row), pixel * (at.col - middle.col)});
      if (!scan.displacement.empty()) {
        at.row += scan.displacement[i].row;
        at.col += scan.displacement[i].col;
      }
      Placement there = place(at, window);
      there.descan_row = by[0], there.descan_col = by[1];
      there.coefficients = roots.data();
      op->forward(there, exit);
      for (i64 k = 0; k < window * window; ++k) {
        double mean = 0;
        for (i64 m = 0; m < measuring.modes; ++m)
          mean += std::norm(exit.data()[m * window * window + k]);
        patterns_.data()[i64(i) * window * window + k] = electrons > 0 ? counted(mean, i, k) : mean;
      }
    }
  }

  Fit<double> fit(FitOptions options, bool from_truth = false) const {
    static const std::unique_ptr<Team> alone = make_local_team();
    const Mesh whole({{0, n_}, {0, n_}}, {}, {}, Halo::exact(window));
    return fit(options, *alone, {whole}, from_truth);
  }
  /// Pixels [W/2, W/2] of the windows.
  std::vector<Pixel> centres() const {
    std::vector<Pixel> all;
    for (const Position& at : positions_) {
      const Placement p = place(at, window);
      all.push_back({p.row + window / 2, p.col + window / 2});
    }
    return all;
  }
  Box object() const { return {{0, n_}, {0, n_}}; }
  /// The mesh of so many ranks.
  Mesh mesh(int ranks, Halo halo = Halo::exact(window)) const {
    const auto all = centres();
    const auto shape = automatic_shape(all, ranks);
    const Mesh cut = balanced_mesh(all, window, shape, halo);
    std::vector<i64> rows, cols;
    for (int r = 1; r < cut.rows(); ++r) rows.push_back(cut.core_rows(r).begin);
    for (int c = 1; c < cut.cols(); ++c) cols.push_back(cut.core_cols(c).begin);
    return {object(), rows, cols, {halo.before + margin_, halo.after + margin_}};
  }
  /// The same by bisection, of what the windows reach.
  Mesh bisected(int ranks, i64 reach = 8) const {
    const Halo exact = Halo::exact(window);
    return bisected_mesh(
        centres(),
        {window, ranks, {exact.before + margin_, exact.after + margin_}, margin_, margin_, reach});
  }
  mutable std::function<void(i64)> when_loaded;     ///< called with every pattern's number
  mutable std::function<void(i64, double*)> spoil;  ///< and may change what is loaded
  mutable std::function<void(FitData<double>&)> change_data;  ///< what a fit is given
  /// Operator and arithmetic that fits are made with, if not with the host's.
  mutable std::function<std::unique_ptr<Operator<double>>(const OperatorSetup&)> make_operator;
  mutable std::function<std::unique_ptr<Arithmetic<double>>()> make_arithmetic;
  /// Counts that patterns and model have in every pixel beside the waves'.
  mutable double background = 0;
  /// Shares of the power of the modes that fits start with; the truth has one mode.
  mutable std::vector<double> shares{1};

  Fit<double> fit(const FitOptions& options, Team& team, const Sharing& sharing,
                  bool from_truth = false) const {
    Array<double, 3> vacuum({options.parts.of<StatesOptions>().states * slices, n_, n_});
    Philox random(6, 0, 0);  // of several states, which would stay alike
    for (double& v : vacuum) v = vacuum.shape()[0] > slices ? 0.01 * random.uniform() : 0;
    return fit(options, team, sharing, from_truth ? truth_ : vacuum,
               spread_modes(probe_.view()[0], shares));
  }
  /// From this object and probe on.
  Fit<double> fit(FitOptions options, Team& team, const Sharing& sharing,
                  View<const double, 3> object, View<const Complex<double>, 3> probe,
                  Ledger* ledger = nullptr) const {
    options.pixel = pixel;
    options.aperture_k = 1.0;
    std::vector<TileStart<double>> start;
    for (const int rank : team.here()) {
      const Box box = sharing.mesh.extended(rank);
      Array<double, 3> phase({object.shape[0], box.rows.size(), box.cols.size()});
      for (i64 s = 0; s < object.shape[0]; ++s)
        for (i64 y = box.rows.begin; y < box.rows.end; ++y)
          std::copy_n(&object(s, y, box.cols.begin), box.cols.size(),
                      &phase(s, y - box.rows.begin, i64{0}));
      start.push_back({std::move(phase), {}});
    }
    OperatorSetup setup = setup_;
    setup.states = options.parts.of<StatesOptions>().states;
    setup.modes = setup.states * probe.shape[0];
    setup.background = background;
    setup.fits_propagator = options.parts.of<GeometryOptions>().fits_propagator();
    setup.descan = options.parts.of<GeometryOptions>().has(GeometryPart::descan);
    setup.basis = setup.states > 1 ? probe.shape[0]
                                   : options.parts.of<VariableProbeOptions>().basis(setup.modes);
    return {
        make_operator ? make_operator(setup) : make_cpu_operator<double>(setup, options.threads),
        data(),
        options,
        team,
        sharing,
        std::move(start),
        converted<Complex<double>, Complex<double>, 3>(probe),
        ledger,
        make_arithmetic ? make_arithmetic() : nullptr};
  }
  FitData<double> data() const {
    FitData<double> data;
    data.positions = positions_;
    data.load = [this](i64 i, double* to) {
      if (when_loaded) when_loaded(i);
      const double* const from = patterns_.data() + i * window * window;
      std::transform(from, from + window * window, to, [&](double v) { return v + background; });
      if (spoil) spoil(i, to);
    };
    data.dk = dk_;
    if (change_data) change_data(data);
    return data;
  }
  /// The largest count of all patterns.
  double brightest() const { return *std::max_element(patterns_.begin(), patterns_.end()); }
  const OperatorSetup& setup() const { return setup_; }
  View<const Complex<double>, 3> probe() const { return probe_.view(); }
  View<const double, 3> truth() const { return truth_.view(); }
  Array<double, 3> vacuum() const { return Array<double, 3>({slices, n_, n_}); }

 private:
  /// The positions, about the middle, and nearer to it, so that the object still holds them.
  void turn(double angle, double middle) {
    const double by = 1 / (std::abs(std::cos(angle)) + std::abs(std::sin(angle)));
    for (Position& at : positions_) {
      const double y = by * (at.row - middle), x = by * (at.col - middle);
      at = {middle + y * std::cos(angle) - x * std::sin(angle),
            middle + y * std::sin(angle) + x * std::cos(angle)};
    }
  }

  static double counted(double mean, std::size_t position, i64 pixel_number) {
    Philox random(8, static_cast<std::uint32_t>(position), std::uint64_t(pixel_number));
    return std::poisson_distribution<int>(mean)(random);
  }

  OperatorSetup setup_;
  Array<Complex<double>, 3> probe_;
  std::vector<Position> positions_;
  i64 margin_ = 0, n_ = 0;
  double dk_ = 0;
  Array<double, 3> truth_, patterns_;
};

inline const FitScene& scene() {
  static const FitScene one;
  return one;
}

/// The whole object, put together from the cores of all tiles (which are in this process).
template <class T>
Array<T, 3> stitched(const Fit<T>& fit, const Box& object, bool absorption = false) {
  const Field<T>& field = fit.state().field(absorption ? "absorption" : "phase");
  Array<T, 3> whole({field.shape[0], object.rows.size(), object.cols.size()});
  for (std::size_t t = 0; t < fit.tiles().size(); ++t) {
    const Tile& tile = fit.tiles()[t];
    const auto here = fit.arithmetic().on_host(field.on(t));
    for (i64 s = 0; s < whole.shape()[0]; ++s)
      for (i64 y = tile.core.rows.begin; y < tile.core.rows.end; ++y)
        for (i64 x = tile.core.cols.begin; x < tile.core.cols.end; ++x)
          whole(s, y - object.rows.begin, x - object.cols.begin) =
              here.view(s, y - tile.box.rows.begin, x - tile.box.cols.begin);
  }
  return whole;
}

}  // namespace ptyle::test
