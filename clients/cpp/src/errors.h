#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "stemwire/error.h"

namespace stemwire {

/// Converts the error of a call.
Error from_status(const grpc::Status& status, const std::string& server);

/// The error of an answer that contradicts the protocol or an earlier answer.
Error invalid_answer(const std::string& problem);

/// The error of a separation that was stopped.
Error stopped();

/// Throws an error as the type that its reason has.
[[noreturn]] void raise(const Error& error);

}  // namespace stemwire
