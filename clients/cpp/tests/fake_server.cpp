#include "fake_server.h"

#include <utility>

#include "error_details.pb.h"

namespace stemwire {

FakeServer::FakeServer(AnswerCall answer) : answer_(std::move(answer)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

FakeServer::~FakeServer() { server_->Shutdown(std::chrono::system_clock::now()); }

v1::Session FakeServer::session() {
  v1::Session session;
  session.set_session_id("a session");
  return session;
}

grpc::Status FakeServer::succeed(Stream& stream) {
  v1::SeparateResponse response;
  *response.mutable_done() = session();
  response.mutable_done()->set_state(v1::SESSION_STATE_DONE);
  stream.Write(response);
  return grpc::Status::OK;
}

grpc::Status FakeServer::wait(Stream& stream) {
  for (v1::SeparateRequest request; stream.Read(&request);) {
  }
  return grpc::Status::OK;
}

grpc::Status FakeServer::Separate(grpc::ServerContext*, Stream* stream) {
  v1::SeparateRequest request;
  const int number = ++calls_;
  return stream->Read(&request) && request.has_config() ? answer_(number, *stream) : grpc::Status::CANCELLED;
}

grpc::Status FakeServer::GetSession(grpc::ServerContext*, const v1::GetSessionRequest*,
                                    v1::GetSessionResponse* response) {
  *response->mutable_session() = session();
  return grpc::Status::OK;
}

grpc::Status FakeServer::CreateSession(grpc::ServerContext*, const v1::CreateSessionRequest*,
                                       v1::CreateSessionResponse* response) {
  *response->mutable_session() = session();
  return grpc::Status::OK;
}

grpc::Status FakeServer::WatchSession(grpc::ServerContext*, const v1::WatchSessionRequest*,
                                      grpc::ServerWriter<v1::WatchSessionResponse>* stream) {
  v1::WatchSessionResponse response;
  *response.mutable_done() = session();
  response.mutable_done()->set_state(v1::SESSION_STATE_DONE);
  stream->Write(response);
  return grpc::Status::OK;
}

grpc::Status stopping(bool may_be_retried, const std::string& domain) {
  details::Status status;
  const auto add = [&status](const std::string& name, const google::protobuf::Message& message) {
    google::protobuf::Any& detail = *status.add_details();
    detail.set_type_url("type.googleapis.com/google.rpc." + name);
    detail.set_value(message.SerializeAsString());
  };
  details::ErrorInfo info;
  info.set_reason("SHUTTING_DOWN");
  info.set_domain(domain);
  (*info.mutable_metadata())["limit"] = "7";
  add("ErrorInfo", info);
  details::RequestInfo request;
  request.set_request_id("a call");
  add("RequestInfo", request);
  if (may_be_retried) {
    details::RetryInfo retry;
    retry.mutable_retry_delay()->set_nanos(1'000'000);
    add("RetryInfo", retry);
  }
  return {grpc::StatusCode::UNAVAILABLE, "the server is stopping", status.SerializeAsString()};
}

}  // namespace stemwire
