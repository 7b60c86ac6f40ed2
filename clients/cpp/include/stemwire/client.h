#pragma once

#include <grpcpp/channel.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "stemwire/error.h"
#include "stemwire/event.h"
#include "stemwire/retry.h"
#include "stemwire/separation.h"
#include "stemwire/song.h"
#include "stemwire/v1/separation_service.pb.h"

namespace stemwire {

class Connection;

/// Settings of a client; all may be left out.
struct ClientOptions {
  /// Sent as a bearer token, with or without TLS.
  std::string token;
  /// The certificate authority of the server, in PEM; by default those of the system.
  std::string authority;
  /// How failed calls are repeated.
  Retry retry;
  /// Time limit of a call that is answered once.
  std::chrono::milliseconds time_limit{30'000};
};

/// Client of one server. Any number of threads may use it, and its separations may outlive it; the first call connects.
///
/// Each call throws `Error`.
class Client {
 public:
  /// Of the server at http://HOST:PORT or https://HOST:PORT. Throws `std::invalid_argument` if that is no such URL.
  explicit Client(const std::string& server, ClientOptions options = {});

  /// Sends a song and receives its stems. Nothing is sent before the first event is waited for.
  ///
  /// With a request id of the caller (a UUID) the session of an earlier call, or of another process, is continued: only
  /// the missing bytes are sent. Without one a new UUID is set.
  Separation separate(Song song, v1::SeparationConfig config = {}) const;

  /// Receives all stems of an existing session. A paused one whose upload is complete is resumed.
  Separation watch(const std::string& session_id) const;

  /// Receives stems of an existing session. The cursors of the request name them, all from one frame; without any all
  /// are received.
  Separation watch(v1::WatchSessionRequest request) const;

  /// Whether the server accepts sessions, and its load.
  v1::HealthResponse health() const;

  /// The models of the server, those of its chain first.
  std::vector<v1::Model> models() const;

  /// The current state of a session.
  v1::Session session(const std::string& session_id) const;

  /// A page of sessions, newest first.
  v1::ListSessionsResponse sessions(const v1::ListSessionsRequest& request = {}) const;

  /// Creates a session, or returns the earlier one with this request id. Without one a new UUID is set, so that a
  /// repeated call creates no second session.
  v1::Session create_session(v1::SeparationConfig config) const;

  /// Cancels a session; its final frames stay readable. One that has ended stays as it is.
  v1::Session cancel_session(const std::string& session_id) const;

  /// Deletes a session and its files; a running one is cancelled first.
  void delete_session(const std::string& session_id) const;

  /// The connection, for generated stubs: for what this class has no method for. Their calls send no token.
  std::shared_ptr<grpc::Channel> channel() const;

 private:
  std::shared_ptr<const Connection> connection_;
};

}  // namespace stemwire
