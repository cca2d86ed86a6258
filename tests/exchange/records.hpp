#pragma once

// Records on the ranks of a mesh, and how they change hands by a delivery.

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/random.hpp"
#include "exchange/delivery.hpp"

namespace ptyle::test {

/// Records whose owners are whoever the dice say: their payload is made of their number.
struct Records {
  Mesh mesh;
  std::vector<Pixel> centres;
  std::vector<std::vector<i64>> own;  ///< by rank

  Records(const Mesh& its_mesh, i64 count, std::uint64_t seed)
      : mesh(its_mesh), own(static_cast<std::size_t>(mesh.ranks())) {
    Philox random(seed, 0, 0);
    const Box object = mesh.object();
    const auto below = [&](i64 n) {
      return static_cast<i64>(random() % static_cast<std::uint32_t>(n));
    };
    const i64 first = below(2) * mesh.ranks() / 2;  // those before have none
    for (i64 i = 0; i < count; ++i) {
      centres.push_back({object.rows.begin + below(object.rows.size()),
                         object.cols.begin + below(object.cols.size())});
      own[static_cast<std::size_t>(first + below(mesh.ranks() - first))].push_back(i);
    }
  }

  static std::vector<i64> numbers(i64 record) { return {record, 7 * record + 1, -record}; }
  static std::vector<std::uint8_t> pattern(i64 record) {
    std::vector<std::uint8_t> bytes(37);
    for (std::size_t k = 0; k < bytes.size(); ++k)
      bytes[k] = static_cast<std::uint8_t>(31 * record + static_cast<i64>(k));
    return bytes;
  }
  [[nodiscard]] std::vector<Parcel> leaving(int rank, i64 margin) const {
    const auto& mine = own[static_cast<std::size_t>(rank)];
    std::vector<Pixel> at;
    for (const i64 i : mine) at.push_back(centres[static_cast<std::size_t>(i)]);
    return parcels_of(mesh, rank, mine, at, margin);
  }
};

/// A parcel's data: the numbers of all its records, and each one's pattern.
struct Luggage {
  std::vector<i64> numbers;
  std::vector<std::vector<std::uint8_t>> patterns;

  explicit Luggage(const Parcel& parcel) : patterns(parcel.records.size()) {
    numbers.resize(3 * parcel.records.size());
    for (auto& pattern : patterns) pattern.resize(37);
  }
  void pack(const Parcel& parcel) {
    numbers.clear();
    for (std::size_t k = 0; k < parcel.records.size(); ++k) {
      for (const i64 number : Records::numbers(parcel.records[k])) numbers.push_back(number);
      patterns[k] = Records::pattern(parcel.records[k]);
    }
  }
  template <class Byte>
  [[nodiscard]] Pieced<Byte> pieces(const Parcel& parcel) {
    Pieced<Byte> all{parcel.from, parcel.to, {std::as_writable_bytes(std::span(numbers))}};
    for (auto& pattern : patterns) all.pieces.push_back(std::as_writable_bytes(std::span(pattern)));
    return all;
  }
};

/// All parcels of the ranks here leave, and come; returns those that came, with what they hold.
inline std::vector<std::pair<Parcel, Luggage>> delivered(Delivery& delivery, const Records& records,
                                                         const std::vector<int>& here, i64 margin) {
  std::vector<Parcel> left;
  for (const int rank : here)
    for (const Parcel& parcel : records.leaving(rank, margin)) left.push_back(parcel);
  std::vector<std::pair<Parcel, Luggage>> come;
  for (const Parcel& parcel : delivery.announce(left)) come.emplace_back(parcel, Luggage(parcel));
  std::vector<Coming> places;
  for (auto& [parcel, luggage] : come) places.push_back(luggage.pieces<std::byte>(parcel));
  delivery.expect(std::move(places));
  std::vector<Luggage> gone;
  std::vector<Leaving> pieces;
  for (const Parcel& parcel : left) gone.emplace_back(parcel).pack(parcel);
  for (std::size_t i = 0; i < left.size(); ++i)
    pieces.push_back(gone[i].pieces<const std::byte>(left[i]));
  delivery.send(std::move(pieces)).finish();
  return come;
}

/// Parcels that a rank should get, by sender.
inline std::vector<Parcel> expected(const Records& records, int rank, i64 margin) {
  std::vector<Parcel> all;
  for (int from = 0; from < records.mesh.ranks(); ++from)
    for (const Parcel& parcel : records.leaving(from, margin))
      if (parcel.to == rank) all.push_back(parcel);
  return all;
}

/// Numbers and patterns that are not those of the records.
inline i64 wrong_in(const Parcel& parcel, const Luggage& luggage) {
  i64 wrong = 0;
  for (std::size_t k = 0; k < parcel.records.size(); ++k) {
    const auto numbers = Records::numbers(parcel.records[k]);
    for (std::size_t i = 0; i < 3; ++i) wrong += luggage.numbers[3 * k + i] != numbers[i];
    wrong += luggage.patterns[k] != Records::pattern(parcel.records[k]);
  }
  return wrong;
}

}  // namespace ptyle::test
