#pragma once

// The data that a batch is sent: where its windows lie, and its measured patterns. Those that are
// had as they are held (native integers) stay on the GPU once they have been seen, as long as there
// is space. All else goes through pinned memory while the batch before is computed, so that nobody
// waits.

#include <cstring>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/ledger.hpp"
#include "core/pulse.hpp"
#include "operator/cuda/plan.hpp"
#include "operator/cuda/points.hpp"

namespace ptyle::gpu {

/// On the device; null what there is none of.
template <class T>
struct Sent {
  const Place<T>* places;
  const PatternOnGpu* patterns;
  const T* coefficients;  ///< after the patterns
};

template <class T, class Gpu>
class Sender {
 public:
  /// `coefficients`: complex numbers that come with each place.
  Sender(Gpu& gpu, Ledger* ledger, i64 window, i64 coefficients)
      : gpu_(gpu),
        ledger_(ledger),
        n_(window * window),
        letter_(letter_of<T>(coefficients)),
        frame_(static_cast<std::size_t>(n_) * widest) {}
  Sender(const Sender&) = delete;
  ~Sender() { release_room(); }

  /// Nothing is sent until make_space; the patterns that stay do.
  void release_room() {
    letters_ = {};
    staged_ = {};
    gpu_.release_pinned(std::exchange(pinned_letters_, nullptr));
    gpu_.release_pinned(std::exchange(pinned_, nullptr));
  }
  /// For batches of so many; `space`: bytes of the device for more patterns that stay.
  void make_space(i64 batch, std::size_t space) {
    batch_ = static_cast<std::size_t>(batch);
    space_ = space;
    letters_ = Array<char, 1>({static_cast<i64>(2 * batch_ * letter_)}, ledger_, "waves", &gpu_);
    staged_ = Array<char, 1>({static_cast<i64>(2 * batch_ * frame_)}, ledger_, "waves", &gpu_);
    pinned_letters_ = static_cast<char*>(gpu_.allocate_pinned(2 * batch_ * letter_));
    gpu_.mark_computed();  // nothing is sent before these are zeroed
  }
  /// Bytes of the patterns that stay.
  [[nodiscard]] std::size_t held() const {
    std::size_t bytes = 0;
    for (const auto& slab : slabs_) bytes += static_cast<std::size_t>(slab.size());
    return bytes;
  }

  /// A pattern that is not sent again; its place is for another.
  void forget(i64 number) {
    const auto found = places_.find(number);
    if (found == places_.end()) return;
    free_.push_back(found->second);
    places_.erase(found);
  }

  /// Sends the places of a batch with their coefficients, and the patterns from number `first` on
  /// where some are measured. Kernels launched after `start` see them; the batch sent the time
  /// before last goes.
  Sent<T> send(const std::vector<Place<T>>& places, const std::vector<T>& coefficients,
               const Measured<T>* measured, i64 first) {
    gpu_.wait_fetched();  // so that pinned memory may be written again
    const std::vector<PatternOnGpu> patterns =
        measured ? stage(*measured, first, static_cast<i64>(places.size()))
                 : std::vector<PatternOnGpu>{};
    const std::size_t from = half_ * batch_ * letter_, bytes = places.size() * sizeof(Place<T>),
                      more = patterns.size() * sizeof(PatternOnGpu),
                      mixing = coefficients.size() * sizeof(T);
    char *const here = pinned_letters_ + from, *const there = letters_.data() + from;
    std::memcpy(here, places.data(), bytes);
    if (more > 0) std::memcpy(here + bytes, patterns.data(), more);
    if (mixing > 0) std::memcpy(here + bytes + more, coefficients.data(), mixing);
    gpu_.fetch(there, here, bytes + more + mixing);
    half_ = 1 - half_;
    return {reinterpret_cast<const Place<T>*>(there),
            more > 0 ? reinterpret_cast<const PatternOnGpu*>(there + bytes) : nullptr,
            mixing > 0 ? reinterpret_cast<const T*>(there + bytes + more) : nullptr};
  }
  /// Once after every `send`, before the batch's work is launched.
  void start() {
    gpu_.mark_computed();
    gpu_.await_fetched();
  }

 private:
  static constexpr std::size_t widest = std::max(sizeof(T), sizeof(float));  // of a pixel's types

  /// Places that the patterns will have; those that do not stay are on their way.
  std::vector<PatternOnGpu> stage(const Measured<T>& measured, i64 first, i64 count) {
    const std::size_t from = half_ * batch_ * frame_;
    std::vector<PatternOnGpu> all;
    std::size_t staged = 0;  // bytes
    for (i64 k = first; k < first + count; ++k) {
      beat();
      const RawPattern raw = measured.raw ? measured.raw(k) : RawPattern{};
      if (raw.data && raw.number >= 0)
        if (const void* at = kept(raw)) {
          all.push_back({at, raw.type, false, raw.background, raw.choice});
          continue;
        }
      if (!pinned_) pinned_ = static_cast<char*>(gpu_.allocate_pinned(2 * batch_ * frame_));
      char* const to = pinned_ + from + staged;
      const char* const there = staged_.data() + from + staged;
      if (raw.data) {
        const std::size_t bytes = static_cast<std::size_t>(n_) * bytes_of(raw.type);
        std::memcpy(to, raw.data, bytes);
        all.push_back({there, raw.type, false, raw.background, raw.choice});
        staged += (bytes + widest - 1) / widest * widest;
      } else {
        measured.load(k, reinterpret_cast<T*>(to));
        all.push_back({there, PatternType::float32, sizeof(T) == sizeof(double), 0, {}});
        staged += frame_;
      }
    }
    if (staged > 0) gpu_.fetch(staged_.data() + from, pinned_ + from, staged);
    return all;
  }

  /// The place that a pattern stays in; null where there is no space.
  const void* kept(const RawPattern& raw) {
    const auto found = places_.find(raw.number);
    if (found != places_.end()) return found->second;
    const std::size_t bytes = static_cast<std::size_t>(n_) * bytes_of(raw.type);
    const std::size_t aligned = (bytes + 15) / 16 * 16;
    char* const at = place_of(aligned);
    if (!at) return nullptr;
    gpu_.copy_later(at, raw.data, bytes);
    return places_[raw.number] = at;
  }
  /// That of a pattern that was forgotten, as all are of one type; or a new one; null: no space.
  char* place_of(std::size_t bytes) {
    if (!free_.empty()) {
      char* const at = free_.back();
      free_.pop_back();
      return at;
    }
    if (left_ < bytes && !new_slab(bytes)) return nullptr;
    char* const at = slabs_.back().data() + slabs_.back().size() - static_cast<i64>(left_);
    left_ -= bytes;
    return at;
  }
  bool new_slab(std::size_t least) {
    const std::size_t size = std::min(space_, std::max(pattern_slab, least));
    if (size < least) return false;
    try {
      slabs_.emplace_back(std::array<i64, 1>{static_cast<i64>(size)}, ledger_, "patterns", &gpu_);
    } catch (const UserError&) {  // others have taken the memory meanwhile
      space_ = 0;
      return false;
    }
    space_ -= size;
    left_ = size;
    return true;
  }

  Gpu& gpu_;
  Ledger* ledger_;
  i64 n_;
  std::size_t letter_;     // bytes (points.hpp)
  std::size_t space_ = 0;  // bytes
  std::size_t frame_;      // bytes of a staged pattern at most
  std::size_t batch_ = 0, half_ = 0;
  // Two halves each: one is sent while the other is computed with. Letters are places, then
  // patterns, then coefficients.
  Array<char, 1> letters_, staged_;
  char *pinned_letters_ = nullptr, *pinned_ = nullptr;
  std::vector<Array<char, 1>> slabs_;
  std::size_t left_ = 0;  // of the last slab
  std::unordered_map<i64, char*> places_;
  std::vector<char*> free_;  // places of patterns that were forgotten
};

}  // namespace ptyle::gpu
