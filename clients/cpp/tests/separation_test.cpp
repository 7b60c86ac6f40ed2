#include <gtest/gtest.h>

#include <future>
#include <stdexcept>
#include <thread>

#include "fake_server.h"
#include "stemwire/client.h"

namespace stemwire {
namespace {

constexpr int ATTEMPTS = 2;

Client client_of(const FakeServer& server) {
  ClientOptions options;
  options.retry = {ATTEMPTS, std::chrono::milliseconds(1), std::chrono::milliseconds(1)};
  return Client(server.url(), options);
}

Song song() { return Song::bytes("a song"); }

/// A recording in which nothing is heard, until the test ends.
class Silence {
 public:
  ~Silence() { ended_.set_value(); }

  Song song() {
    return Song::stream([ended = ended_.get_future().share()](char*, std::size_t) -> std::size_t {
      ended.wait();
      return 0;
    });
  }

 private:
  std::promise<void> ended_;
};

/// The error that a separation ends with.
Error error_of(Separation separation) {
  try {
    separation.wait();
  } catch (const Error& error) {
    return error;
  }
  throw std::logic_error("the separation succeeded");
}

TEST(Separation, ACallIsRepeatedWhereTheServerOffersARetry) {
  FakeServer server(
      [](int number, auto& stream) { return number == 1 ? stopping(true) : FakeServer::succeed(stream); });
  Separation separation = client_of(server).separate(song());
  std::vector<Event> events;
  for (Event& event : separation) {
    events.push_back(std::move(event));
  }
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(std::get<Reconnecting>(events[0]).error.reason(), v1::ERROR_REASON_SHUTTING_DOWN);
  EXPECT_EQ(std::get<Done>(events[1]).session.session_id(), "a session");
  EXPECT_FALSE(separation.next().has_value());
}

TEST(Separation, ACallIsNotRepeatedWhereTheServerOffersNoRetry) {
  FakeServer server([](int, auto&) { return stopping(false); });
  const Error error = error_of(client_of(server).separate(song()));
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_SHUTTING_DOWN);
  EXPECT_EQ(server.calls(), 1);
}

TEST(Separation, ABrokenConnectionIsRepeatedAsOftenAsAllowed) {
  FakeServer server([](int, auto& stream) {
    v1::SeparateResponse response;
    *response.mutable_session() = FakeServer::session();
    stream.Write(response);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "");
  });
  EXPECT_TRUE(error_of(client_of(server).separate(song())).is_unreachable());
  EXPECT_EQ(server.calls(), 1 + ATTEMPTS);
}

TEST(Separation, ASessionIsWatchedToItsEnd) {
  FakeServer server([](int, auto& stream) { return FakeServer::wait(stream); });
  EXPECT_EQ(client_of(server).watch("a session").wait().session_id(), "a session");
}

TEST(Separation, TheTimeLimitEndsIt) {
  FakeServer server([](int, auto& stream) { return FakeServer::wait(stream); });
  Silence silence;
  Separation separation = client_of(server).separate(silence.song());
  separation.set_time_limit(std::chrono::milliseconds(100));
  EXPECT_EQ(error_of(std::move(separation)).code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST(Separation, AnotherThreadStopsIt) {
  std::promise<void> called;
  FakeServer server([&](int, auto& stream) {
    called.set_value();
    return FakeServer::wait(stream);
  });
  Silence silence;
  Separation separation = client_of(server).separate(silence.song());
  std::thread stopper([&] {
    called.get_future().wait();
    separation.stop();
  });
  try {
    separation.wait();
    ADD_FAILURE() << "it was not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), grpc::StatusCode::CANCELLED);
    EXPECT_FALSE(error.is_unreachable());
  }
  stopper.join();
}

TEST(Separation, ASongThatCannotBeReadIsAnError) {
  FakeServer server([](int, auto& stream) { return FakeServer::wait(stream); });
  Separation separation = client_of(server).separate(
      Song::stream([](char*, std::size_t) -> std::size_t { throw std::runtime_error("the microphone is unplugged"); }));
  try {
    separation.wait();
    FAIL() << "it succeeded";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "the microphone is unplugged");
  }
  EXPECT_LE(server.calls(), 1);
}

TEST(Separation, AServerThatIsNotThereIsAnErrorAtOnce) {
  const Client client("http://127.0.0.1:1");
  try {
    client.health();
    FAIL() << "it answers";
  } catch (const Unreachable& error) {
    EXPECT_EQ(error.remedy().back(), '.');
  }
}

TEST(Separation, AnAddressThatIsNoUrlIsRefused) {
  for (const char* server : {"", "ftp://server", "http://", "http://server:port", "http://user@server"}) {
    EXPECT_THROW(Client{server}, std::invalid_argument) << server;
  }
  for (const char* server : {"server", "server:8000", "http://server/", "https://[::1]:8000"}) {
    EXPECT_NO_THROW(Client{server}) << server;
  }
}

}  // namespace
}  // namespace stemwire
