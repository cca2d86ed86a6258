#include "solver/hand_over.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace ptyle {
namespace {

i64 records_in(const std::vector<Parcel>& parcels) {
  return std::accumulate(parcels.begin(), parcels.end(), i64{0}, [](i64 sum, const Parcel& one) {
    return sum + static_cast<i64>(one.records.size());
  });
}

}  // namespace

template <class T>
HandOver<T>::HandOver(Workspace<T>& with, const Mesh& mesh)
    : with_(with), mesh_(mesh), here_(with.team.here()), delivery_(with.team.make_delivery()) {}

template <class T>
bool HandOver<T>::run(i64 margin) {
  const std::vector<Parcel> left = leaving(margin);
  std::vector<double> records{static_cast<double>(records_in(left))};
  with_.team.sum(records);
  if (records[0] == 0) return false;
  const std::vector<Parcel> come = delivery_->announce(left);
  std::vector<Rows> before;
  for (std::size_t t = 0; t < with_.tiles.size(); ++t) before.push_back(rows_of(t));
  const std::vector<Rows> coming = delivered(left, come, before);
  for (std::size_t t = 0; t < with_.tiles.size(); ++t) take_over(t, left, come, coming, before[t]);
  drop_patterns(left);
  so_far_.came += records_in(come);
  so_far_.went += records_in(left);
  return true;
}

/// The numbers of the parcels that come; their patterns are held then.
template <class T>
auto HandOver<T>::delivered(const std::vector<Parcel>& left, const std::vector<Parcel>& come,
                            const std::vector<Rows>& before) -> std::vector<Rows> {
  std::vector<Rows> coming(come.size()), going;
  std::vector<Coming> places;
  for (std::size_t i = 0; i < come.size(); ++i) places.push_back(place_for(come[i], coming[i]));
  delivery_->expect(std::move(places));
  for (const Parcel& parcel : left) going.push_back(packed(parcel, before));
  std::vector<Leaving> pieces;
  for (std::size_t i = 0; i < left.size(); ++i) pieces.push_back(pieces_of(left[i], going[i]));
  delivery_->send(std::move(pieces)).finish();
  return coming;
}

template <class T>
std::vector<Parcel> HandOver<T>::leaving(i64 margin) const {
  const i64 half = with_.op->setup().window / 2;
  std::vector<Parcel> all;
  for (std::size_t t = 0; t < with_.tiles.size(); ++t) {
    const auto& own = with_.tiles[t].own;
    std::vector<Pixel> centres;
    for (const i64 i : own) {
      const Placement at = with_.place_of(i);
      centres.push_back({at.row + half, at.col + half});
    }
    for (Parcel& parcel : parcels_of(mesh_, here_[t], own, centres, margin))
      all.push_back(std::move(parcel));
  }
  return all;
}

template <class T>
i64 HandOver<T>::numbers_a_record() const {
  i64 numbers = 0;
  for (const Field<T>& field : with_.state.fields())
    if (field.kind == Kind::records) numbers += field.shape[2];
  return numbers;
}

template <class T>
bool HandOver<T>::is_here(int rank) const {
  return std::binary_search(here_.begin(), here_.end(), rank);
}

template <class T>
std::size_t HandOver<T>::tile_of_rank(int rank) const {
  return static_cast<std::size_t>(std::lower_bound(here_.begin(), here_.end(), rank) -
                                  here_.begin());
}

template <class T>
bool HandOver<T>::with_patterns(int other) const {
  return with_.data.hands.bytes > 0 && !is_here(other);
}

template <class T>
auto HandOver<T>::rows_of(std::size_t t) const -> Rows {
  const auto count = static_cast<i64>(with_.tiles[t].own.size());
  const i64 width = numbers_a_record();
  Rows rows(static_cast<std::size_t>(count * width));
  i64 first = 0;
  for (const Field<T>& field : with_.state.fields()) {
    if (field.kind != Kind::records) continue;
    const auto here = with_.arithmetic->on_host(field.on(t));
    const i64 numbers = field.shape[2];
    for (i64 k = 0; k < count; ++k)
      std::copy_n(here.view.data + k * numbers, numbers, rows.data() + k * width + first);
    first += numbers;
  }
  return rows;
}

template <class T>
void HandOver<T>::put_rows(std::size_t t, const Rows& rows) {
  const auto count = static_cast<i64>(with_.tiles[t].own.size());
  const i64 width = numbers_a_record();
  with_.state.resize_records(*with_.arithmetic, t, count);
  i64 first = 0;
  for (Field<T>& field : with_.state.fields()) {
    if (field.kind != Kind::records) continue;
    const i64 numbers = field.shape[2];
    std::vector<T> values(static_cast<std::size_t>(count * numbers));
    for (i64 k = 0; k < count; ++k)
      std::copy_n(rows.data() + k * width + first, numbers, values.data() + k * numbers);
    with_.arithmetic->write(values.data(), field.here[t].data(), count * numbers);
    first += numbers;
  }
}

template <class T>
auto HandOver<T>::packed(const Parcel& parcel, const std::vector<Rows>& rows) const -> Rows {
  const std::size_t t = tile_of_rank(parcel.from);
  const i64 width = numbers_a_record();
  Rows all;
  for (const i64 record : parcel.records) {
    const T* const row = rows[t].data() + place_in(with_.tiles[t].own, record) * width;
    all.insert(all.end(), row, row + width);
  }
  return all;
}

template <class T>
Coming HandOver<T>::place_for(const Parcel& parcel, Rows& rows) {
  rows.resize(parcel.records.size() * static_cast<std::size_t>(numbers_a_record()));
  Coming to{parcel.from, parcel.to, {std::as_writable_bytes(std::span(rows))}};
  if (!with_patterns(parcel.from)) return to;
  const auto& hands = with_.data.hands;
  for (const i64 record : parcel.records)
    to.pieces.emplace_back(static_cast<std::byte*>(hands.take(record)), hands.bytes);
  return to;
}

template <class T>
Leaving HandOver<T>::pieces_of(const Parcel& parcel, const Rows& rows) const {
  Leaving from{parcel.from, parcel.to, {std::as_bytes(std::span(rows))}};
  if (!with_patterns(parcel.to)) return from;
  const auto& hands = with_.data.hands;
  for (const i64 record : parcel.records)
    from.pieces.emplace_back(static_cast<const std::byte*>(hands.held(record)), hands.bytes);
  return from;
}

/// A tile's list and fields, of what it had and of what has come.
template <class T>
void HandOver<T>::take_over(std::size_t t, const std::vector<Parcel>& left,
                            const std::vector<Parcel>& come, const std::vector<Rows>& coming,
                            const Rows& before) {
  Tile& tile = with_.tiles[t];
  const i64 width = numbers_a_record();
  const std::vector<i64> own = owned_after(tile.own, here_[t], left, come);
  if (own == tile.own) return;
  Rows rows(own.size() * static_cast<std::size_t>(width));
  const auto put = [&](const std::vector<i64>& records, const Rows& from) {
    for (std::size_t k = 0; k < records.size(); ++k) {
      const i64 at = place_in(own, records[k]);
      if (at < static_cast<i64>(own.size()) && own[static_cast<std::size_t>(at)] == records[k])
        std::copy_n(from.data() + static_cast<i64>(k) * width, width, rows.data() + at * width);
    }
  };
  put(tile.own, before);  // but for what has left
  for (std::size_t i = 0; i < come.size(); ++i)
    if (come[i].to == here_[t]) put(come[i].records, coming[i]);
  tile.own = own;
  put_rows(t, rows);
}

template <class T>
void HandOver<T>::drop_patterns(const std::vector<Parcel>& left) {
  for (const Parcel& parcel : left)
    if (!is_here(parcel.to))
      for (const i64 record : parcel.records) with_.forget(record);
  std::vector<i64> gone;
  for (const Parcel& parcel : left)
    if (with_patterns(parcel.to))
      gone.insert(gone.end(), parcel.records.begin(), parcel.records.end());
  if (gone.empty()) return;
  with_.op->forget(gone);
  for (const i64 record : gone) with_.data.hands.drop(record);
}

template class HandOver<float>;
template class HandOver<double>;

}  // namespace ptyle
