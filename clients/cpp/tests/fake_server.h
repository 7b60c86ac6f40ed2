#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "stemwire/v1/separation_service.grpc.pb.h"

namespace stemwire {

/// A server whose calls of Separate answer as a test has it. Its one session is done when it is watched.
class FakeServer : public v1::SeparationService::Service {
 public:
  using Stream = grpc::ServerReaderWriter<v1::SeparateResponse, v1::SeparateRequest>;
  /// Gets the number of the call, from 1, once it has its settings.
  using AnswerCall = std::function<grpc::Status(int number, Stream& stream)>;

  explicit FakeServer(AnswerCall answer);
  ~FakeServer() override;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int calls() const { return calls_; }

  /// The session of all calls.
  static v1::Session session();

  /// Ends a call as one whose session is done.
  static grpc::Status succeed(Stream& stream);

  /// Waits for the end of the upload or of the call.
  static grpc::Status wait(Stream& stream);

  grpc::Status Separate(grpc::ServerContext* context, Stream* stream) override;
  grpc::Status GetSession(grpc::ServerContext* context, const v1::GetSessionRequest* request,
                          v1::GetSessionResponse* response) override;
  grpc::Status CreateSession(grpc::ServerContext* context, const v1::CreateSessionRequest* request,
                             v1::CreateSessionResponse* response) override;
  grpc::Status WatchSession(grpc::ServerContext* context, const v1::WatchSessionRequest* request,
                            grpc::ServerWriter<v1::WatchSessionResponse>* stream) override;

 private:
  AnswerCall answer_;
  std::atomic<int> calls_{0};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

/// The error of a server that is stopping.
grpc::Status stopping(bool may_be_retried, const std::string& domain = "stemwire");

}  // namespace stemwire
