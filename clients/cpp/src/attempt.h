#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <variant>

#include "connection.h"
#include "source.h"
#include "stemwire/event.h"
#include "stop.h"

namespace stemwire {

/// A message of a call; nothing if it is one of a later version.
using Answer = std::variant<std::monostate, v1::Session, v1::Progress, v1::EngineChange, v1::StemChunk, Done>;

/// The end of the time limit of a separation.
using Deadline = std::optional<std::chrono::system_clock::time_point>;

/// A call that is open.
class Attempt {
 public:
  virtual ~Attempt() = default;

  /// The next answer; empty at the end of a call that succeeded. Throws `Error`.
  virtual std::optional<Answer> next() = 0;

  /// Ends the call; returns what reading the song has thrown.
  virtual std::exception_ptr close() = 0;
};

/// Sends a song, from the upload offset of the settings on.
std::unique_ptr<Attempt> separate(const Connection& connection, Stop& stop, Deadline deadline, SongReader& song,
                                  v1::SeparationConfig config);

/// Watches a session.
std::unique_ptr<Attempt> watch(const Connection& connection, Stop& stop, Deadline deadline,
                               const v1::WatchSessionRequest& request);

}  // namespace stemwire
