#pragma once

#include <chrono>

namespace stemwire {

/// How a client continues after a broken connection, a restart of the server or a full queue.
///
/// Pauses double from `first_pause` up to `longest_pause`, less a random part so that many clients do not return at the
/// same moment. A pause is never shorter than the server asks for.
struct Retry {
  /// Consecutive failures without progress that are retried; 0 disables retries.
  int attempts = 8;
  /// The pause after the first failure.
  std::chrono::milliseconds first_pause{250};
  /// Limit of a pause that the server has not asked for.
  std::chrono::milliseconds longest_pause{10'000};
};

}  // namespace stemwire
