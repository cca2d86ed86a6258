#pragma once

// How alike two images of one shape are, over the pixels where `area` is 1.

#include "core/array.hpp"

namespace ptyle {

/// sqrt of the mean squared difference; 0 where the area is empty.
double rms_difference(View<const double, 2> a, View<const double, 2> b,
                      View<const unsigned char, 2> area);

/// Pearson's correlation; 0 where one image is constant.
double correlation(View<const double, 2> a, View<const double, 2> b,
                   View<const unsigned char, 2> area);

/// Structural similarity (Wang et al., IEEE Trans. Image Process. 13 (2004) 600): Gaussian window
/// of 11 × 11 with σ = 1.5 px, K1 = 0.01, K2 = 0.03, L = the reference's largest less smallest
/// value over the area; mean over the pixels of the area whose window lies inside the images. A
/// constant reference has no range: 1 where the image equals it, else 0.
double structural_similarity(View<const double, 2> image, View<const double, 2> reference,
                             View<const unsigned char, 2> area);

}  // namespace ptyle
