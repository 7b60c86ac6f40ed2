#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "stemwire/event.h"

namespace stemwire {

/// The files of a session that is done.
struct Saved {
  /// In its final state.
  v1::Session session;
  /// Path of each stem.
  std::map<std::string, std::filesystem::path> files;
};

/// A session that is followed: its events, by a loop that waits for them. It belongs to one thread, except `stop`.
///
/// Chunks that are not taken yet wait on the server. Each function that waits throws `Error` if the session or the last
/// retry fails, and what reading the song has thrown.
class Separation {
 public:
  class Iterator;

  Separation(Separation&&) noexcept;
  Separation& operator=(Separation&&) noexcept;
  /// Stops following the session. If it is still running, the server applies `on_disconnect`.
  ~Separation();

  /// Limits the time until the last event, from now on.
  void set_time_limit(std::chrono::milliseconds limit);

  /// The request id of an upload, by which another process can continue it; empty for a session that is watched.
  const std::string& request_id() const;

  /// The session as last received; with an empty id before the first answer.
  const v1::Session& session() const;

  /// Waits for the next event; empty after the last one.
  std::optional<Event> next();

  /// The events from the next one on, for a loop: `for (const Event& event : separation)`.
  Iterator begin();
  Iterator end();

  /// Receives to the end and drops the chunks; returns the session in its final state.
  const v1::Session& wait();

  /// Writes all stems to FOLDER/STEM.wav as they arrive, in the requested encoding; memory does not grow with the
  /// length of the song. The files appear once all stems are complete, and replace files of the same names. The
  /// listener gets every event. Throws `std::system_error` if they cannot be written.
  Saved save(const std::filesystem::path& folder, const std::function<void(const Event&)>& listener = {});

  /// Cancels the session, as far as it is known; its final frames stay readable.
  void cancel();

  /// Ends `next` with the code CANCELLED, now or later. Any thread may call it while the separation exists.
  void stop() noexcept;

 private:
  friend class Client;
  class Follower;

  explicit Separation(std::unique_ptr<Follower> follower);

  std::unique_ptr<Follower> follower_;
};

/// Reads events once, in order.
class Separation::Iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Event;
  using difference_type = std::ptrdiff_t;
  using pointer = Event*;
  using reference = Event&;

  Iterator() = default;
  explicit Iterator(Separation& separation) : separation_(&separation), event_(separation.next()) {}

  Event& operator*() { return *event_; }
  Event* operator->() { return &*event_; }
  Iterator& operator++() {
    event_ = separation_->next();
    return *this;
  }
  void operator++(int) { ++*this; }

  /// Only the end equals another iterator.
  friend bool operator==(const Iterator& one, const Iterator& other) { return !one.event_ && !other.event_; }
  friend bool operator!=(const Iterator& one, const Iterator& other) { return !(one == other); }

 private:
  Separation* separation_ = nullptr;
  std::optional<Event> event_;
};

inline Separation::Iterator Separation::begin() { return Iterator(*this); }
inline Separation::Iterator Separation::end() { return Iterator(); }

}  // namespace stemwire
