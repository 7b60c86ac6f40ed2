#pragma once

#include <cstdint>

#include "attempt.h"
#include "connection.h"
#include "failures.h"
#include "received.h"
#include "stemwire/separation.h"
#include "stop.h"

namespace stemwire {

/// Follows a session over any number of calls.
class Separation::Follower {
 public:
  /// Of a song that is sent; the config has a request id. Whether its session may exist is unknown to the first call.
  Follower(std::shared_ptr<const Connection> connection, std::unique_ptr<SongReader> song, v1::SeparationConfig config,
           bool may_exist);

  /// Of a session that is watched.
  Follower(std::shared_ptr<const Connection> connection, v1::WatchSessionRequest request);

  std::optional<Event> next();

  /// Stops following the session.
  void close();

  const Connection& connection() const { return *connection_; }
  const Received& received() const { return received_; }
  const std::string& request_id() const { return config_.request_id(); }
  void set_time_limit(std::chrono::milliseconds limit);
  Stop& stop() { return stop_; }

 private:
  /// The next event; empty if there is another step.
  std::optional<Event> step();
  std::optional<Event> event(Answer answer);
  std::optional<Event> chunk(v1::StemChunk message);
  std::optional<Event> done(v1::Session session);
  Event accepted(v1::Session session);

  /// What follows an error: a new call, or the end.
  Event after(const Error& error);

  std::unique_ptr<Attempt> open();
  v1::Session session_once(const std::string& session_id);

  template <typename Request, typename Response>
  Response once(Connection::Method<Request, Response> method, const Request& request);

  std::shared_ptr<const Connection> connection_;
  std::unique_ptr<SongReader> song_;
  v1::SeparationConfig config_;
  v1::WatchSessionRequest watched_;
  Received received_;
  Failures failures_;
  Stop stop_;
  Deadline deadline_;
  /// Names this client in each of its calls.
  const std::string caller_ = new_uuid();
  std::uint32_t calls_ = 0;
  bool may_exist_ = true;
  bool is_ended_ = false;
  std::chrono::milliseconds pause_{0};
  /// A chunk that came before the rate of its samples was known.
  std::optional<v1::StemChunk> waiting_;
  std::unique_ptr<Attempt> attempt_;
};

}  // namespace stemwire
