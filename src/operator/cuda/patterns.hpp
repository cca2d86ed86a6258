#pragma once

// The measured patterns of a batch on a GPU. Those that are had as they are held (native integers)
// stay there once they have been seen, as long as there is room; the others are fetched from pinned
// memory while the batch before is computed.

#include <cstring>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/ledger.hpp"
#include "operator/cuda/plan.hpp"

namespace ptyle::gpu {

template <class T, class Gpu>
class Patterns {
 public:
  Patterns(Gpu& gpu, Ledger* ledger, i64 window)
      : gpu_(gpu),
        ledger_(ledger),
        n_(window * window),
        frame_(static_cast<std::size_t>(n_) * widest) {}
  Patterns(const Patterns&) = delete;
  ~Patterns() { release_staging(); }

  /// Nothing is fetched until make_staging; the patterns that stay do.
  void release_staging() {
    staged_ = {};
    gpu_.release_pinned(std::exchange(pinned_, nullptr));
  }
  /// For batches of so many; `room`: bytes of the device for more patterns that stay.
  void make_staging(i64 batch, std::size_t room) {
    batch_ = static_cast<std::size_t>(batch);
    room_ = room;
    staged_ = Array<char, 1>({2 * batch * static_cast<i64>(frame_)}, ledger_, "waves", &gpu_);
  }
  /// Bytes of the patterns that stay.
  [[nodiscard]] std::size_t held() const {
    std::size_t bytes = 0;
    for (const auto& slab : slabs_) bytes += static_cast<std::size_t>(slab.size());
    return bytes;
  }

  /// Where the patterns first … first + count − 1 lie, as batch number `number` of a call.
  std::vector<PatternOnGpu> batch(const Measured<T>& measured, i64 first, i64 count, i64 number) {
    const std::size_t half = static_cast<std::size_t>(number % 2) * batch_ * frame_;
    gpu_.wait_fetched();  // so that pinned memory may be written again
    std::vector<PatternOnGpu> all;
    std::size_t staged = 0;  // bytes
    for (i64 k = first; k < first + count; ++k) {
      const RawPattern raw = measured.raw ? measured.raw(k) : RawPattern{};
      if (raw.data && raw.number >= 0)
        if (const void* at = kept(raw)) {
          all.push_back({at, raw.type, false, raw.background});
          continue;
        }
      if (!pinned_) pinned_ = static_cast<char*>(gpu_.allocate_pinned(2 * batch_ * frame_));
      char* const to = pinned_ + half + staged;
      const char* const there = staged_.data() + half + staged;
      if (raw.data) {
        const std::size_t bytes = static_cast<std::size_t>(n_) * bytes_of(raw.type);
        std::memcpy(to, raw.data, bytes);
        all.push_back({there, raw.type, false, raw.background});
        staged += (bytes + widest - 1) / widest * widest;
      } else {
        measured.load(k, reinterpret_cast<T*>(to));
        all.push_back({there, PatternType::float32, sizeof(T) == sizeof(double), 0});
        staged += frame_;
      }
    }
    if (staged > 0) gpu_.fetch(staged_.data() + half, pinned_ + half, staged);
    return all;
  }

 private:
  static constexpr std::size_t widest = std::max(sizeof(T), sizeof(float));  // of a pixel's types
  /// Where a pattern stays; null where there is no room.
  const void* kept(const RawPattern& raw) {
    const auto found = places_.find(raw.number);
    if (found != places_.end()) return found->second;
    const std::size_t bytes = static_cast<std::size_t>(n_) * bytes_of(raw.type);
    const std::size_t aligned = (bytes + 15) / 16 * 16;
    if (left_ < aligned && !new_slab(aligned)) return nullptr;
    char* const at = slabs_.back().data() + slabs_.back().size() - static_cast<i64>(left_);
    left_ -= aligned;
    gpu_.copy_later(at, raw.data, bytes);
    return places_[raw.number] = at;
  }
  bool new_slab(std::size_t least) {
    const std::size_t size = std::min(room_, std::max(pattern_slab, least));
    if (size < least) return false;
    try {
      slabs_.emplace_back(std::array<i64, 1>{static_cast<i64>(size)}, ledger_, "patterns", &gpu_);
    } catch (const UserError&) {  // others have taken the memory meanwhile
      room_ = 0;
      return false;
    }
    room_ -= size;
    left_ = size;
    return true;
  }

  Gpu& gpu_;
  Ledger* ledger_;
  i64 n_;
  std::size_t room_ = 0;  // bytes
  std::size_t frame_;     // bytes of a staged pattern at most
  Array<char, 1> staged_;
  std::size_t batch_ = 0;
  char* pinned_ = nullptr;
  std::vector<Array<char, 1>> slabs_;
  std::size_t left_ = 0;  // of the last slab
  std::unordered_map<i64, const void*> places_;
};

}  // namespace ptyle::gpu
