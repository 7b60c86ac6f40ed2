#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "stemwire/v1/error_reason.pb.h"

namespace stemwire {

/// A call failed. `what()` is the cause, `remedy()` one imperative sentence.
class Error : public std::runtime_error {
 public:
  /// What an error consists of.
  struct Parts {
    grpc::StatusCode code = grpc::StatusCode::UNKNOWN;
    std::string reason;
    std::string message;
    std::string remedy;
    std::map<std::string, std::string> metadata;
    std::optional<std::chrono::nanoseconds> retry_after;
    std::string request_id;
  };

  explicit Error(Parts parts);

  /// The gRPC code.
  grpc::StatusCode code() const noexcept { return parts_.code; }

  /// The reason as sent, such as "CODEC_UNSUPPORTED", or one of this package: ANSWER_INVALID, STOPPED. Empty if the
  /// server gave none.
  const std::string& reason_name() const noexcept { return parts_.reason; }

  /// The reason; unspecified if the server gave none, or one of a later version.
  v1::ErrorReason reason() const;

  /// What to do: one imperative sentence.
  const std::string& remedy() const noexcept { return parts_.remedy; }

  /// Values and limits behind the message.
  const std::map<std::string, std::string>& metadata() const noexcept { return parts_.metadata; }

  /// The delay after which the same call can succeed; empty if the server offers no retry.
  std::optional<std::chrono::nanoseconds> retry_after() const noexcept { return parts_.retry_after; }

  /// The id of the call in the server's log; empty if no server answered.
  const std::string& request_id() const noexcept { return parts_.request_id; }

  /// Whether it is an `Unreachable`.
  bool is_unreachable() const;

  /// Whether it is a `SongError`.
  bool is_song_error() const;

 private:
  Parts parts_;
};

/// The server does not answer, or the connection broke.
class Unreachable : public Error {
 public:
  explicit Unreachable(Error error) : Error(std::move(error)) {}
};

/// The song cannot be separated, now or later: it is not audio, too long, empty, …
class SongError : public Error {
 public:
  explicit SongError(Error error) : Error(std::move(error)) {}
};

/// The session does not exist, or no longer exists.
class SessionNotFound : public Error {
 public:
  explicit SessionNotFound(Error error) : Error(std::move(error)) {}
};

/// The session was cancelled; the finished part of its stems stays readable.
class SessionCancelled : public Error {
 public:
  explicit SessionCancelled(Error error) : Error(std::move(error)) {}
};

}  // namespace stemwire
