#include "failures.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace stemwire {

namespace {

/// The part of a pause that is waited: three quarters to all of it.
double share() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.75, 1)(random);
}

}  // namespace

std::optional<std::chrono::milliseconds> Failures::pause(const Error& error, Position now) {
  count_++;
  if (now > last_) {
    count_ = 1;
    last_ = now;
  }
  const bool is_unreachable = error.is_unreachable();
  answered_ |= !is_unreachable;
  if (!answered_ || count_ > retry_.attempts || !(is_unreachable || error.retry_after())) {
    return std::nullopt;
  }
  const double doubled = std::ldexp(static_cast<double>(retry_.first_pause.count()), std::min(count_ - 1, 20));
  const double usual = std::min(doubled, static_cast<double>(retry_.longest_pause.count()));
  const std::chrono::milliseconds pause(static_cast<std::int64_t>(usual * share()));
  return std::max(pause, std::chrono::ceil<std::chrono::milliseconds>(error.retry_after().value_or(pause)));
}

}  // namespace stemwire
