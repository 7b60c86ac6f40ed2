#include "stemwire/client.h"

#include <utility>

#include "connection.h"
#include "follower.h"
#include "source.h"

namespace stemwire {

namespace {

v1::SeparationConfig with_request_id(v1::SeparationConfig config) {
  if (config.request_id().empty()) {
    config.set_request_id(new_uuid());
  }
  return config;
}

/// A request that names a session.
template <typename Request>
Request of_session(const std::string& session_id) {
  Request request;
  request.set_session_id(session_id);
  return request;
}

}  // namespace

Client::Client(const std::string& server, ClientOptions options)
    : connection_(std::make_shared<Connection>(server, std::move(options))) {}

Separation Client::separate(Song song, v1::SeparationConfig config) const {
  const bool may_exist = !config.request_id().empty();
  if (song.format()) {
    *config.mutable_input() = *song.format();
  }
  return Separation(std::make_unique<Separation::Follower>(connection_, std::move(song.reader_),
                                                           with_request_id(std::move(config)), may_exist));
}

Separation Client::watch(const std::string& session_id) const {
  return watch(of_session<v1::WatchSessionRequest>(session_id));
}

Separation Client::watch(v1::WatchSessionRequest request) const {
  if (request.encoding() == v1::ENCODING_UNSPECIFIED) {
    request.set_encoding(v1::ENCODING_F32LE);
  }
  return Separation(std::make_unique<Separation::Follower>(connection_, std::move(request)));
}

v1::HealthResponse Client::health() const { return connection_->call(&Connection::Stub::Health, v1::HealthRequest()); }

std::vector<v1::Model> Client::models() const {
  const auto response = connection_->call(&Connection::Stub::ListModels, v1::ListModelsRequest());
  return {response.models().begin(), response.models().end()};
}

v1::Session Client::session(const std::string& session_id) const {
  return connection_->call(&Connection::Stub::GetSession, of_session<v1::GetSessionRequest>(session_id)).session();
}

v1::ListSessionsResponse Client::sessions(const v1::ListSessionsRequest& request) const {
  return connection_->call(&Connection::Stub::ListSessions, request);
}

v1::Session Client::create_session(v1::SeparationConfig config) const {
  v1::CreateSessionRequest request;
  *request.mutable_config() = with_request_id(std::move(config));
  return connection_->call(&Connection::Stub::CreateSession, request).session();
}

v1::Session Client::cancel_session(const std::string& session_id) const { return connection_->cancel(session_id); }

void Client::delete_session(const std::string& session_id) const {
  connection_->call(&Connection::Stub::DeleteSession, of_session<v1::DeleteSessionRequest>(session_id));
}

std::shared_ptr<grpc::Channel> Client::channel() const { return connection_->channel(); }

}  // namespace stemwire
