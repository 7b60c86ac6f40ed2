#include "stemwire/separation.h"

#include <utility>

#include "follower.h"
#include "stem_files.h"

namespace stemwire {

Separation::Separation(std::unique_ptr<Follower> follower) : follower_(std::move(follower)) {}
Separation::Separation(Separation&&) noexcept = default;
Separation& Separation::operator=(Separation&&) noexcept = default;
Separation::~Separation() = default;

void Separation::set_time_limit(std::chrono::milliseconds limit) { follower_->set_time_limit(limit); }

const std::string& Separation::request_id() const { return follower_->request_id(); }

const v1::Session& Separation::session() const { return follower_->received().session(); }

std::optional<Event> Separation::next() { return follower_->next(); }

const v1::Session& Separation::wait() {
  while (next()) {
  }
  return session();
}

Saved Separation::save(const std::filesystem::path& folder, const std::function<void(const Event&)>& listener) {
  StemFiles files(folder);
  while (const std::optional<Event> event = next()) {
    if (const auto* chunk = std::get_if<Chunk>(&*event)) {
      files.write(*chunk);
    }
    if (listener) {
      listener(*event);
    }
  }
  return {session(), files.publish()};
}

void Separation::cancel() {
  if (!session().session_id().empty()) {
    follower_->connection().cancel(session().session_id());
  }
}

void Separation::stop() noexcept { follower_->stop().set(); }

}  // namespace stemwire
