#include "exchange/local/exchange.hpp"

#include <algorithm>
#include <stdexcept>

#include "exchange/side.hpp"

namespace ptyle {
namespace {

template <class T>
class LocalExchange final : public Exchange<T> {
 public:
  explicit LocalExchange(const ExchangePlan& plan) : rounds_(plan.schedule.rounds.size()) {
    for (int rank = 0; rank < plan.mesh.ranks(); ++rank) sides_.emplace_back(plan, rank);
    for (const Side<T>& side : sides_) {
      sent_.emplace_back(std::array<i64, 1>{side.send_size()}, plan.ledger, "exchange buffers");
      links_.push_back(links_of(side));
    }
  }

  Running start(std::span<const Stack<T>> tiles) override {
    if (busy_)
      throw std::logic_error(
          "an exchange was started before it had finished, or after it was given up");
    if (tiles.size() != sides_.size())
      throw std::invalid_argument("a local exchange needs the arrays of every rank");
    for (std::size_t rank = 0; rank < sides_.size(); ++rank) sides_[rank].attach(tiles[rank]);
    busy_ = true;
    return Running(*this);
  }

 protected:
  bool advance(bool) override {
    for (i64 chunk = 0; chunk < sides_.front().chunks(); ++chunk) run(chunk);
    for (Side<T>& side : sides_) side.detach();
    busy_ = false;
    return true;
  }
  void abandon() noexcept override {}  // stays busy

 private:
  /// Where a receive of a step finds its values: the sender's buffer, and the part's offset in it.
  struct Link {
    std::size_t sender;
    i64 offset;
  };

  std::vector<std::vector<Link>> links_of(const Side<T>& side) const {
    std::vector<std::vector<Link>> links;
    for (const Step& step : side.steps()) {
      links.emplace_back();
      for (const Part& receive : step.receives) {
        const auto sender = static_cast<std::size_t>(receive.partner);
        const auto& steps = sides_[sender].steps();
        const auto sending =
            std::lower_bound(steps.begin(), steps.end(), step.round,
                             [](const Step& s, std::size_t round) { return s.round < round; });
        const auto part =
            std::lower_bound(sending->sends.begin(), sending->sends.end(), side.rank(),
                             [](const Part& p, int rank) { return p.partner < rank; });
        links.back().push_back({sender, part->offset});
      }
    }
    return links;
  }

  void run(i64 chunk) {
    const Interval planes = sides_.front().planes_of(chunk);
    std::vector<std::size_t> at(sides_.size(), 0);  // each rank's next step
    const auto for_active = [&](std::size_t round, auto&& work) {
      for (std::size_t rank = 0; rank < sides_.size(); ++rank) {
        const auto& steps = sides_[rank].steps();
        if (at[rank] < steps.size() && steps[at[rank]].round == round) work(rank, steps[at[rank]]);
      }
    };
    std::vector<const T*> parts;
    for (std::size_t round = 0; round < rounds_; ++round) {
      for_active(round, [&](std::size_t rank, const Step& step) {
        sides_[rank].pack(step, planes, sent_[rank].data());
      });
      for_active(round, [&](std::size_t rank, const Step& step) {
        parts.clear();
        for (const Link& link : links_[rank][at[rank]])
          parts.push_back(sent_[link.sender].data() + planes.size() * link.offset);
        sides_[rank].unpack(step, planes, parts);
        ++at[rank];
      });
    }
  }

  std::size_t rounds_;
  std::vector<Side<T>> sides_;
  std::vector<Array<T, 1>> sent_;
  std::vector<std::vector<std::vector<Link>>> links_;  // of each rank, step, receive
  bool busy_ = false;
};

}  // namespace

template <class T>
std::unique_ptr<Exchange<T>> make_local_exchange(const ExchangePlan& plan) {
  return std::make_unique<LocalExchange<T>>(plan);
}
template std::unique_ptr<Exchange<float>> make_local_exchange(const ExchangePlan&);
template std::unique_ptr<Exchange<double>> make_local_exchange(const ExchangePlan&);

}  // namespace ptyle
