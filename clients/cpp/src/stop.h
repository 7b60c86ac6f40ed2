#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace stemwire {

/// Ends what a separation waits for, from any thread.
class Stop {
 public:
  /// Ends the call that is open and the pause, now and later.
  void set() noexcept {
    const std::lock_guard lock(mutex_);
    is_set_ = true;
    if (open_ != nullptr) {
      open_->TryCancel();
    }
    changed_.notify_all();
  }

  bool is_set() const {
    const std::lock_guard lock(mutex_);
    return is_set_;
  }

  /// Waits, unless it is set.
  void pause(std::chrono::milliseconds duration) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, duration, [this] { return is_set_; });
  }

  /// A call that it ends, as long as this exists.
  class Call {
   public:
    Call(Stop& stop, grpc::ClientContext& context) : stop_(stop), context_(context) {
      const std::lock_guard lock(stop_.mutex_);
      earlier_ = std::exchange(stop_.open_, &context_);
      if (stop_.is_set_) {
        context_.TryCancel();
      }
    }

    ~Call() {
      const std::lock_guard lock(stop_.mutex_);
      stop_.open_ = earlier_;
    }

    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Stop& stop_;
    grpc::ClientContext& context_;
    /// The stream, while a call beside it is answered.
    grpc::ClientContext* earlier_;
  };

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool is_set_ = false;
  grpc::ClientContext* open_ = nullptr;
};

}  // namespace stemwire
