#include "exchange/local/delivery.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace ptyle {
namespace {

class LocalDelivery final : public Delivery {
 public:
  std::vector<Parcel> announce(std::span<const Parcel> leaving) override {
    std::vector<Parcel> coming(leaving.begin(), leaving.end());
    std::sort(coming.begin(), coming.end(), [](const Parcel& a, const Parcel& b) {
      return std::pair(a.to, a.from) < std::pair(b.to, b.from);
    });
    return coming;
  }
  void expect(std::vector<Coming> parcels) override { coming_ = std::move(parcels); }
  Running send(std::vector<Leaving> parcels) override {
    leaving_ = std::move(parcels);
    return Running(*this);
  }

 private:
  bool advance(bool) override {
    if (coming_.size() != leaving_.size())
      throw std::logic_error("a delivery has not as many parcels that come as leave");
    for (const Coming& to : coming_) copy(leaving_to(to), to);
    coming_.clear();
    leaving_.clear();
    return true;
  }
  void abandon() noexcept override {}

  [[nodiscard]] const Leaving& leaving_to(const Coming& to) const {
    const auto from = std::find_if(leaving_.begin(), leaving_.end(), [&](const Leaving& one) {
      return one.from == to.from && one.to == to.to;
    });
    if (from == leaving_.end()) throw std::logic_error("a parcel is expected that nobody sends");
    return *from;
  }
  static void copy(const Leaving& from, const Coming& to) {
    if (from.pieces.size() != to.pieces.size())
      throw std::logic_error("a parcel comes in other pieces than it leaves");
    for (std::size_t i = 0; i < to.pieces.size(); ++i) {
      if (from.pieces[i].size() != to.pieces[i].size())
        throw std::logic_error("a parcel's piece has another size than its place");
      std::copy(from.pieces[i].begin(), from.pieces[i].end(), to.pieces[i].begin());
    }
  }

  std::vector<Coming> coming_;
  std::vector<Leaving> leaving_;
};

}  // namespace

std::unique_ptr<Delivery> make_local_delivery() { return std::make_unique<LocalDelivery>(); }

}  // namespace ptyle
