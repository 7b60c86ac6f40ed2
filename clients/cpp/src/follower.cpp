#include "follower.h"

#include <algorithm>
#include <utility>

namespace stemwire {

namespace {

std::vector<std::string> names_of(const v1::WatchSessionRequest& request) {
  std::vector<std::string> names;
  for (const v1::StemCursor& cursor : request.stems()) {
    names.push_back(cursor.stem());
  }
  return names;
}

std::uint64_t start_of(const v1::WatchSessionRequest& request) {
  std::uint64_t start = 0;
  for (const v1::StemCursor& cursor : request.stems()) {
    start = std::max(start, cursor.start_frame());
  }
  return start;
}

}  // namespace

Separation::Follower::Follower(std::shared_ptr<const Connection> connection, std::unique_ptr<SongReader> song,
                               v1::SeparationConfig config, bool may_exist)
    : connection_(std::move(connection)),
      song_(std::move(song)),
      config_(std::move(config)),
      received_(config_.output().encoding(), config_.output().gain(), config_.start_frame(), {}),
      failures_(connection_->options().retry),
      may_exist_(may_exist) {}

Separation::Follower::Follower(std::shared_ptr<const Connection> connection, v1::WatchSessionRequest request)
    : connection_(std::move(connection)),
      watched_(std::move(request)),
      received_(watched_.encoding(), watched_.gain(), start_of(watched_), names_of(watched_)),
      failures_(connection_->options().retry) {}

void Separation::Follower::set_time_limit(std::chrono::milliseconds limit) {
  deadline_ = std::chrono::system_clock::now() + limit;
}

std::optional<Event> Separation::Follower::next() {
  while (!is_ended_) {
    try {
      if (std::optional<Event> event = step()) {
        return event;
      }
    } catch (const Error& error) {
      return after(error);
    }
  }
  return std::nullopt;
}

void Separation::Follower::close() {
  is_ended_ = true;
  attempt_.reset();
  song_.reset();
}

std::optional<Event> Separation::Follower::step() {
  if (!attempt_) {
    stop_.pause(std::exchange(pause_, std::chrono::milliseconds(0)));
    if (stop_.is_set()) {
      raise(stopped());
    }
    attempt_ = open();
    return std::nullopt;
  }
  if (waiting_) {
    return received_.new_frames(*std::exchange(waiting_, std::nullopt));
  }
  std::optional<Answer> answer = attempt_->next();
  if (!answer) {
    raise(invalid_answer("the call ended without a result"));
  }
  failures_.set_answered();
  return event(std::move(*answer));
}

std::optional<Event> Separation::Follower::event(Answer answer) {
  if (auto* session = std::get_if<v1::Session>(&answer)) {
    return accepted(std::move(*session));
  }
  if (auto* progress = std::get_if<v1::Progress>(&answer)) {
    return Progressed{std::move(*progress)};
  }
  if (auto* change = std::get_if<v1::EngineChange>(&answer)) {
    return received_.is_new(*change) ? std::optional<Event>(EngineChanged{std::move(*change)}) : std::nullopt;
  }
  if (auto* message = std::get_if<v1::StemChunk>(&answer)) {
    return chunk(std::move(*message));
  }
  if (auto* last = std::get_if<Done>(&answer)) {
    return done(std::move(last->session));
  }
  return std::nullopt;
}

Event Separation::Follower::accepted(v1::Session session) {
  received_.set_session(session);
  return Accepted{std::move(session)};
}

std::optional<Event> Separation::Follower::chunk(v1::StemChunk message) {
  if (received_.sample_rate() != 0) {
    return received_.new_frames(std::move(message));
  }
  // The session was received before its upload was decoded. By now its rate is known.
  waiting_ = std::move(message);
  return accepted(session_once(received_.session().session_id()));
}

std::optional<Event> Separation::Follower::done(v1::Session session) {
  if (session.state() != v1::SESSION_STATE_DONE) {
    // The session failed or was cancelled: the status that follows is the error.
    return std::nullopt;
  }
  received_.set_session(session);
  received_.verify(session);
  close();
  return Done{std::move(session)};
}

Event Separation::Follower::after(const Error& error) {
  std::exception_ptr song_error;
  if (attempt_) {
    song_error = attempt_->close();
    attempt_.reset();
    waiting_.reset();
  }
  if (song_error) {
    close();
    std::rethrow_exception(song_error);
  }
  if (stop_.is_set()) {
    close();
    raise(stopped());
  }
  const auto pause = failures_.pause(error, received_.position());
  const bool is_late = pause && deadline_ && std::chrono::system_clock::now() + *pause >= *deadline_;
  if (!pause || is_late) {
    close();
    raise(error);
  }
  pause_ = *pause;
  return Reconnecting{error, *pause};
}

std::unique_ptr<Attempt> Separation::Follower::open() {
  if (song_) {
    v1::SeparationConfig config = config_;
    if (std::exchange(may_exist_, true)) {
      v1::CreateSessionRequest request;
      *request.mutable_config() = config_;
      received_.set_session(once(&Connection::Stub::CreateSession, request).session());
      config.set_upload_offset(received_.session().committed_bytes());
      config.set_start_frame(received_.resume_frame());
    }
    // One that is delayed on its way must not take the session from a later one.
    config.mutable_attempt()->set_caller(caller_);
    config.mutable_attempt()->set_number(++calls_);
    return stemwire::separate(*connection_, stop_, deadline_, *song_, std::move(config));
  }
  if (received_.stems().empty()) {
    received_.set_session(session_once(watched_.session_id()));
  }
  v1::WatchSessionRequest request = watched_;
  request.clear_stems();
  for (const std::string& name : received_.stems()) {
    v1::StemCursor& cursor = *request.add_stems();
    cursor.set_stem(name);
    cursor.set_start_frame(received_.next_frame(name));
  }
  return stemwire::watch(*connection_, stop_, deadline_, request);
}

v1::Session Separation::Follower::session_once(const std::string& session_id) {
  v1::GetSessionRequest request;
  request.set_session_id(session_id);
  return once(&Connection::Stub::GetSession, request).session();
}

template <typename Request, typename Response>
Response Separation::Follower::once(Connection::Method<Request, Response> method, const Request& request) {
  grpc::ClientContext context;
  const Stop::Call registered(stop_, context);
  context.set_deadline(std::min(deadline_.value_or(connection_->deadline()), connection_->deadline()));
  return connection_->once(context, method, request);
}

}  // namespace stemwire
