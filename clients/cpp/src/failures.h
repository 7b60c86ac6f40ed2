#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "stemwire/error.h"
#include "stemwire/retry.h"

namespace stemwire {

/// What a session has: uploaded bytes and received frames. Compared in this order.
using Position = std::pair<std::uint64_t, std::uint64_t>;

/// Counts the consecutive failures of one operation.
///
/// A server that has never answered is not called again: its address is probably wrong, and the caller should see that
/// at once.
class Failures {
 public:
  explicit Failures(Retry retry) : retry_(retry) {}

  void set_answered() { answered_ = true; }

  /// The pause after an error; empty if the call must not be repeated. A position beyond the last one starts a new
  /// count.
  std::optional<std::chrono::milliseconds> pause(const Error& error, Position now);

 private:
  Retry retry_;
  int count_ = 0;
  Position last_{0, 0};
  bool answered_ = false;
};

}  // namespace stemwire
