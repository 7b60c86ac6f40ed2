#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <thread>

#include "errors.h"
#include "failures.h"
#include "stemwire/client.h"
#include "stemwire/v1/separation_service.grpc.pb.h"

namespace stemwire {

/// A connection to one server, for a client and its separations.
class Connection {
 public:
  using Stub = v1::SeparationService::Stub;

  template <typename Request, typename Response>
  using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

  /// Throws `std::invalid_argument`.
  Connection(const std::string& server, ClientOptions options);

  const ClientOptions& options() const { return options_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  Stub& stub() const { return *stub_; }

  /// Adds the token to a call.
  void authorize(grpc::ClientContext& context) const;

  /// The error of a call.
  Error error(const grpc::Status& status) const { return from_status(status, server_); }

  /// The end of the time limit of a call that begins now.
  std::chrono::system_clock::time_point deadline() const {
    return std::chrono::system_clock::now() + options_.time_limit;
  }

  /// Makes one call. Throws `Error`.
  template <typename Request, typename Response>
  Response once(grpc::ClientContext& context, Method<Request, Response> method, const Request& request) const {
    authorize(context);
    Response response;
    const grpc::Status status = (*stub_.*method)(&context, request, &response);
    if (!status.ok()) {
      raise(error(status));
    }
    return response;
  }

  /// Makes a call that may be repeated. Throws `Error`.
  template <typename Request, typename Response>
  Response call(Method<Request, Response> method, const Request& request) const {
    for (Failures failures(options_.retry);;) {
      std::optional<std::chrono::milliseconds> pause;
      try {
        grpc::ClientContext context;
        context.set_deadline(deadline());
        return once(context, method, request);
      } catch (const Error& error) {
        pause = failures.pause(error, {0, 0});
        if (!pause) {
          throw;
        }
      }
      std::this_thread::sleep_for(*pause);
    }
  }

  v1::Session cancel(const std::string& session_id) const;

 private:
  std::string server_;
  ClientOptions options_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

/// A new UUID (version 4).
std::string new_uuid();

}  // namespace stemwire
