#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "source.h"

namespace stemwire {

namespace {

/// Bytes that are kept: more than HTTP/2 has in flight, so that what a broken connection lost can be sent again.
constexpr std::size_t KEPT_BYTES = 16 << 20;

/// Pieces that are read ahead of the connection.
constexpr std::size_t PIECES_AHEAD = 4;

/// What the thread that reads the stream shares with the one that sends it. It belongs to both: a read that waits
/// cannot be ended, and may last longer than the separation.
class Pieces {
 public:
  /// Reads the stream to its end, or until this is closed.
  void fill(const Song::Read& read) {
    std::exception_ptr error;
    try {
      std::string buffer(CHUNK_BYTES, '\0');
      while (const std::size_t count = read(buffer.data(), buffer.size())) {
        if (!add(buffer.substr(0, count))) {
          return;
        }
      }
    } catch (...) {
      error = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    error_ = error;
    changed_.notify_all();
  }

  /// Waits for the next piece: none at the end, and empty if it was interrupted. Throws what reading has thrown.
  std::optional<std::string> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_interrupted_ || has_ended_ || !pieces_.empty(); });
    if (is_interrupted_) {
      return std::nullopt;
    }
    if (pieces_.empty()) {
      if (error_) {
        std::rethrow_exception(error_);
      }
      return "";
    }
    std::string piece = std::move(pieces_.front());
    pieces_.pop_front();
    changed_.notify_all();
    return piece;
  }

  void set_interrupted(bool is_interrupted) {
    const std::lock_guard lock(mutex_);
    is_interrupted_ = is_interrupted;
    changed_.notify_all();
  }

  void close() {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    changed_.notify_all();
  }

 private:
  /// Waits for space; false once it is closed.
  bool add(std::string piece) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_closed_ || pieces_.size() < PIECES_AHEAD; });
    pieces_.push_back(std::move(piece));
    changed_.notify_all();
    return !is_closed_;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> pieces_;
  std::exception_ptr error_;
  bool has_ended_ = false;
  bool is_interrupted_ = false;
  bool is_closed_ = false;
};

/// A thread of its own reads the stream: a call that breaks while there is no music loses nothing.
class StreamSource : public Source {
 public:
  explicit StreamSource(Song::Read read) : read_(std::move(read)) {}

  ~StreamSource() override { pieces_->close(); }

  bool is_seekable() const override { return false; }

  void set_interrupted(bool is_interrupted) override { pieces_->set_interrupted(is_interrupted); }

  std::optional<std::string> read(std::uint64_t offset) override {
    if (read_) {
      std::thread([pieces = pieces_, read = std::exchange(read_, nullptr)] { pieces->fill(read); }).detach();
    }
    while (offset >= end_) {
      std::optional<std::string> next = pieces_->take();
      if (!next || next->empty()) {
        return next;
      }
      keep(std::move(*next));
    }
    std::uint64_t position = start_;
    for (const std::string& piece : kept_) {
      if (position <= offset && offset < position + piece.size()) {
        return piece.substr(offset - position);
      }
      position += piece.size();
    }
    throw std::runtime_error("the upload continues at byte " + std::to_string(offset) + ", but only the last " +
                             std::to_string(KEPT_BYTES >> 20) + " MiB of a stream are kept");
  }

 private:
  void keep(std::string piece) {
    end_ += piece.size();
    kept_.push_back(std::move(piece));
    while (end_ - start_ - kept_.front().size() >= KEPT_BYTES) {
      start_ += kept_.front().size();
      kept_.pop_front();
    }
  }

  std::shared_ptr<Pieces> pieces_ = std::make_shared<Pieces>();
  Song::Read read_;
  std::deque<std::string> kept_;
  std::uint64_t start_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace

std::unique_ptr<Source> stream_source(Song::Read read) { return std::make_unique<StreamSource>(std::move(read)); }

}  // namespace stemwire
