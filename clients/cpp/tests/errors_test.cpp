#include "errors.h"

#include <gtest/gtest.h>

#include "failures.h"
#include "fake_server.h"

namespace stemwire {
namespace {

TEST(Errors, TheDetailsOfTheServerAreRead) {
  const Error error = from_status(stopping(true), "http://server");
  EXPECT_EQ(error.code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(error.reason(), v1::ERROR_REASON_SHUTTING_DOWN);
  EXPECT_STREQ(error.what(), "the server is stopping");
  EXPECT_EQ(error.remedy(), "Try again in a few seconds.");
  EXPECT_EQ(error.metadata().at("limit"), "7");
  EXPECT_EQ(error.request_id(), "a call");
  EXPECT_EQ(error.retry_after(), std::chrono::milliseconds(1));
  EXPECT_FALSE(error.is_unreachable());
}

TEST(Errors, ThoseOfAProxyAreAServerThatDoesNotAnswer) {
  const Error error = from_status(stopping(true, "another"), "http://server");
  EXPECT_TRUE(error.is_unreachable());
  EXPECT_EQ(error.reason_name(), "");
  EXPECT_EQ(error.retry_after(), std::nullopt);
  EXPECT_STREQ(error.what(), "http://server does not answer: the server is stopping");
}

TEST(Errors, AReasonHasAType) {
  const auto of = [](const std::string& reason) {
    Error::Parts parts;
    parts.reason = reason;
    return Error(parts);
  };
  EXPECT_THROW(raise(of("FORMAT_UNKNOWN")), SongError);
  EXPECT_THROW(raise(of("SESSION_NOT_FOUND")), SessionNotFound);
  EXPECT_THROW(raise(of("SESSION_CANCELLED")), SessionCancelled);
  EXPECT_THROW(raise(from_status({grpc::StatusCode::UNAVAILABLE, ""}, "http://server")), Unreachable);
  EXPECT_EQ(of("OF_A_LATER_VERSION").reason(), v1::ERROR_REASON_UNSPECIFIED);
}

TEST(Errors, PausesDoubleUpToALimitAndProgressStartsAnew) {
  const Error broken = from_status({grpc::StatusCode::UNAVAILABLE, "reset"}, "http://server");
  Failures failures({5, std::chrono::milliseconds(100), std::chrono::milliseconds(400)});
  EXPECT_EQ(failures.pause(broken, {0, 0}), std::nullopt) << "a server that has never answered is not called again";
  failures.set_answered();
  const auto check = [&](Position position, int longest) {
    const auto pause = failures.pause(broken, position);
    ASSERT_TRUE(pause);
    EXPECT_LE(pause->count(), longest);
    EXPECT_GE(pause->count(), longest * 3 / 4);
  };
  check({1, 0}, 100);
  check({1, 0}, 200);
  check({1, 0}, 400);
  check({1, 0}, 400);
  check({1, 9}, 100);
  for (int count = 2; count <= 5; count++) {
    EXPECT_TRUE(failures.pause(broken, {1, 9}));
  }
  EXPECT_EQ(failures.pause(broken, {1, 9}), std::nullopt);
}

TEST(Errors, APauseIsNoShorterThanTheServerAsksFor) {
  Failures failures({1, std::chrono::milliseconds(0), std::chrono::milliseconds(0)});
  EXPECT_EQ(failures.pause(from_status(stopping(true), ""), {0, 0}), std::chrono::milliseconds(1));
  EXPECT_EQ(Failures({}).pause(from_status(stopping(false), ""), {0, 0}), std::nullopt);
}

}  // namespace
}  // namespace stemwire
