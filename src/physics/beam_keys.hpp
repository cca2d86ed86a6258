#pragma once

// Keys optics.* that a reconstruction and a simulation share: `o` has a field of each name.

#include "core/limits.hpp"

namespace ptyle {

/// kV; the limit is beyond every microscope's, and keeps volts apart from kilovolts.
template <class V, class Optics>
void energy_key(V& v, Optics& o, const char* example) {
  v("energy", o.energy, above(0).up_to(10000), "kV", "accelerating voltage")
      .starting(example)
      .also_called("voltage kv acceleration_voltage ht probe_kv");
}

/// Convergence angle, defocus and aberrations.
template <class V, class Optics>
void aperture_keys(V& v, Optics& o, const char* semi_angle, const char* defocus) {
  v("semi_angle", o.semi_angle, above(0).up_to(1000), "mrad", "convergence semi-angle")
      .starting(semi_angle)
      .also_called("convergence_angle conv_angle probe_conv_angle alpha aperture");
  v("defocus", o.defocus, "Å", "positive = underfocus, = -C10")
      .starting(defocus)
      .also_called("df probe_defocus")
      .not_to_be_taken_for("c10", "C10 is minus the defocus");
  v("C12", o.C12, "Å", "two-fold astigmatism").also_called("A1 astigmatism");
  v("phi12", o.phi12, "degrees", "its azimuth, from +x (columns) towards +y (rows)");
  v("C21", o.C21, "Å", "axial coma").also_called("B2 coma");
  v("phi21", o.phi21, "degrees", "its azimuth");
  v("C23", o.C23, "Å", "three-fold astigmatism").also_called("A2");
  v("phi23", o.phi23, "degrees", "its azimuth");
  v("C30", o.C30, "Å", "spherical aberration, 1 mm = 1e7 Å").also_called("Cs C3");
}

/// Keys of what makes the beam incoherent, both standard deviations.
template <class V, class Optics>
void coherence_keys(V& v, Optics& o, const char* source_size, const char* focal_spread) {
  v("source_size", o.source_size, between(0, 1e4), "Å", source_size)
      .also_called("effective_source_size partial_coherence")
      .reported_if_set();
  v("focal_spread", o.focal_spread, between(0, 1e5), "Å", focal_spread)
      .also_called("defocus_spread")
      .reported_if_set();
}

}  // namespace ptyle
