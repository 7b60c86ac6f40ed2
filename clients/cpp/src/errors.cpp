#include "errors.h"

#include <string_view>
#include <utility>

#include "error_details.pb.h"

namespace stemwire {

namespace {

/// The domain of the server's own errors; those of a proxy have another.
constexpr std::string_view DOMAIN_OF_SERVER = "stemwire";

constexpr const char* PREFIX = "ERROR_REASON_";

/// The contract of a reason; the default for one of a later version.
const v1::ErrorOptions& options(const std::string& reason) {
  const auto* value = v1::ErrorReason_descriptor()->FindValueByName(PREFIX + reason);
  return value == nullptr ? v1::ErrorOptions::default_instance() : value->options().GetExtension(v1::error);
}

bool is_of_connection(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::UNKNOWN ||
         code == grpc::StatusCode::INTERNAL || code == grpc::StatusCode::CANCELLED;
}

/// Whether a detail is a message of Google's with this name, which is then read.
template <typename Message>
bool read(const google::protobuf::Any& detail, std::string_view name, Message& message) {
  const std::string& url = detail.type_url();
  return std::string_view(url).substr(url.rfind('/') + 1) == name && message.ParseFromString(detail.value());
}

std::string name(grpc::StatusCode code) {
  return v1::ErrorOptions::Code_Name(static_cast<v1::ErrorOptions::Code>(code))
      .substr(std::string_view("CODE_").size());
}

/// Reads the details of a status, without those of a proxy.
void add_details(const std::string& serialized, Error::Parts& parts) {
  details::Status status;
  if (!status.ParseFromString(serialized)) {
    return;
  }
  for (const google::protobuf::Any& detail : status.details()) {
    details::ErrorInfo info;
    details::RetryInfo retry;
    details::RequestInfo request;
    if (read(detail, "google.rpc.ErrorInfo", info) && info.domain() == DOMAIN_OF_SERVER) {
      parts.reason = info.reason();
      parts.metadata = {info.metadata().begin(), info.metadata().end()};
    } else if (read(detail, "google.rpc.RetryInfo", retry)) {
      const auto& delay = retry.retry_delay();
      parts.retry_after = std::chrono::seconds(delay.seconds()) + std::chrono::nanoseconds(delay.nanos());
    } else if (read(detail, "google.rpc.RequestInfo", request)) {
      parts.request_id = request.request_id();
    }
  }
  if (parts.reason.empty()) {
    parts.retry_after.reset();
  }
}

}  // namespace

Error::Error(Parts parts) : std::runtime_error(parts.message), parts_(std::move(parts)) {}

v1::ErrorReason Error::reason() const {
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  v1::ErrorReason_Parse(PREFIX + reason_name(), &reason);
  return reason;
}

bool Error::is_unreachable() const { return reason_name().empty() && is_of_connection(code()); }

bool Error::is_song_error() const { return options(reason_name()).category() == v1::ErrorOptions::CATEGORY_INPUT; }

Error from_status(const grpc::Status& status, const std::string& server) {
  Error::Parts parts;
  parts.code = status.error_code();
  parts.message = status.error_message();
  add_details(status.error_details(), parts);
  if (auto own = parts.metadata.extract("remedy")) {
    parts.remedy = own.mapped();
  }
  if (parts.remedy.empty()) {
    parts.remedy = options(parts.reason).remedy();
  }
  if (parts.reason.empty() && is_of_connection(parts.code)) {
    parts.message = server + " does not answer: " + parts.message;
    parts.remedy = "Start it with `stemwire serve`, or check its address: https:// with TLS.";
  }
  if (parts.message.empty()) {
    parts.message = server + " refuses the call: " + name(parts.code);
  }
  if (parts.remedy.empty()) {
    parts.remedy = "See the server log, or try again later.";
  }
  return Error(std::move(parts));
}

Error invalid_answer(const std::string& problem) {
  Error::Parts parts;
  parts.code = grpc::StatusCode::DATA_LOSS;
  parts.reason = "ANSWER_INVALID";
  parts.message = "the server's answer is invalid: " + problem;
  parts.remedy = "Use the same version of client and server.";
  return Error(std::move(parts));
}

Error stopped() {
  Error::Parts parts;
  parts.code = grpc::StatusCode::CANCELLED;
  parts.reason = "STOPPED";
  parts.message = "the separation was stopped by its program";
  parts.remedy = "Continue with the same request id, or watch the session.";
  return Error(std::move(parts));
}

void raise(const Error& error) {
  if (error.is_unreachable()) {
    throw Unreachable(error);
  }
  if (error.is_song_error()) {
    throw SongError(error);
  }
  switch (error.reason()) {
    case v1::ERROR_REASON_SESSION_NOT_FOUND:
      throw SessionNotFound(error);
    case v1::ERROR_REASON_SESSION_CANCELLED:
      throw SessionCancelled(error);
    default:
      throw error;
  }
}

}  // namespace stemwire
