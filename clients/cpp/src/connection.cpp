#include "connection.h"

#include <cstdio>
#include <random>
#include <regex>
#include <stdexcept>
#include <utility>

namespace stemwire {

namespace {

/// Limit of a message; the server's are far smaller.
constexpr int MAX_MESSAGE_BYTES = 4 << 20;

/// Silence after which a connection is probed, and that after which it counts as broken.
constexpr int KEEP_ALIVE_MS = 30'000;
constexpr int KEEP_ALIVE_LIMIT_MS = 10'000;

/// Time limit of connecting.
constexpr int CONNECT_MS = 10'000;

/// Pauses between attempts to connect. Those between calls are this package's, and longer.
constexpr int RECONNECT_MS = 100;

grpc::ChannelArguments arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(MAX_MESSAGE_BYTES);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, KEEP_ALIVE_MS);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEP_ALIVE_LIMIT_MS);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_MS);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, RECONNECT_MS);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, RECONNECT_MS);
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, RECONNECT_MS);
  // Retries are this package's.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // Another client's pauses are not this one's.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

std::shared_ptr<grpc::Channel> connect(const std::string& server, const std::string& authority) {
  static const std::regex url("(https?)://(\\[[0-9A-Fa-f:.]+\\]|[^/:@?#\\s]+)(?::([0-9]{1,5}))?/?");
  std::smatch parts;
  if (!std::regex_match(server, parts, url)) {
    throw std::invalid_argument("\"" + server + "\" is not a server URL. Write it as http://HOST:PORT.");
  }
  const bool is_tls = parts[1] == "https";
  const std::string port = parts[3].matched ? parts[3].str() : is_tls ? "443" : "80";
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = authority;
  const auto credentials = is_tls ? grpc::SslCredentials(tls) : grpc::InsecureChannelCredentials();
  return grpc::CreateCustomChannel("dns:///" + parts[2].str() + ":" + port, credentials, arguments());
}

}  // namespace

Connection::Connection(const std::string& server, ClientOptions options)
    : server_(server.find("://") == std::string::npos ? "http://" + server : server),
      options_(std::move(options)),
      channel_(connect(server_, options_.authority)),
      stub_(v1::SeparationService::NewStub(channel_)) {}

void Connection::authorize(grpc::ClientContext& context) const {
  if (!options_.token.empty()) {
    context.AddMetadata("authorization", "Bearer " + options_.token);
  }
}

v1::Session Connection::cancel(const std::string& session_id) const {
  v1::CancelSessionRequest request;
  request.set_session_id(session_id);
  return call(&Stub::CancelSession, request).session();
}

std::string new_uuid() {
  std::random_device random;
  std::uint32_t words[4];
  for (std::uint32_t& word : words) {
    word = random();
  }
  // The bits of version and variant, as in RFC 9562.
  words[1] = (words[1] & 0xffff0fff) | 0x4000;
  words[2] = (words[2] & 0x3fffffff) | 0x80000000;
  char text[37];
  std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%04x%08x", words[0], words[1] >> 16, words[1] & 0xffff,
                words[2] >> 16, words[2] & 0xffff, words[3]);
  return text;
}

}  // namespace stemwire
