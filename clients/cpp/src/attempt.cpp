#include "attempt.h"

#include <thread>
#include <utility>

namespace stemwire {

namespace {

/// The messages of both calls are the same.
template <typename Response>
Answer answer_of(Response&& response) {
  switch (response.message_case()) {
    case std::decay_t<Response>::kSession:
      return std::move(*response.mutable_session());
    case std::decay_t<Response>::kProgress:
      return std::move(*response.mutable_progress());
    case std::decay_t<Response>::kStem:
      return std::move(*response.mutable_stem());
    case std::decay_t<Response>::kEngineChange:
      return std::move(*response.mutable_engine_change());
    case std::decay_t<Response>::kDone:
      return Done{std::move(*response.mutable_done())};
    default:
      return std::monostate();
  }
}

/// The answers of a call: its context, which ends with it.
template <typename Stream, typename Response>
class Call : public Attempt {
 public:
  ~Call() override { end(); }

  std::optional<Answer> next() override {
    Response response;
    if (stream_->Read(&response)) {
      return answer_of(std::move(response));
    }
    const grpc::Status status = finish();
    if (!status.ok()) {
      raise(connection_.error(status));
    }
    return std::nullopt;
  }

  std::exception_ptr close() override {
    end();
    return nullptr;
  }

 protected:
  Call(const Connection& connection, Stop& stop, Deadline deadline)
      : connection_(connection), registered_(stop, context_) {
    connection.authorize(context_);
    if (deadline) {
      context_.set_deadline(*deadline);
    }
  }

  void end() {
    if (!stream_ || is_finished_) {
      return;
    }
    context_.TryCancel();
    // A call is complete once its answers have been read.
    for (Response response; stream_->Read(&response);) {
    }
    finish();
  }

  const Connection& connection_;
  grpc::ClientContext context_;
  Stop::Call registered_;
  std::unique_ptr<Stream> stream_;

 private:
  grpc::Status finish() {
    is_finished_ = true;
    return stream_->Finish();
  }

  bool is_finished_ = false;
};

class Watch : public Call<grpc::ClientReader<v1::WatchSessionResponse>, v1::WatchSessionResponse> {
 public:
  Watch(const Connection& connection, Stop& stop, Deadline deadline, const v1::WatchSessionRequest& request)
      : Call(connection, stop, deadline) {
    stream_ = connection.stub().WatchSession(&context_, request);
  }
};

class Upload : public Call<grpc::ClientReaderWriter<v1::SeparateRequest, v1::SeparateResponse>, v1::SeparateResponse> {
 public:
  Upload(const Connection& connection, Stop& stop, Deadline deadline, SongReader& song, v1::SeparationConfig config)
      : Call(connection, stop, deadline), song_(song) {
    stream_ = connection.stub().Separate(&context_);
    song_.set_interrupted(false);
    sender_ = std::thread([this, config = std::move(config)]() mutable { send(std::move(config)); });
  }

  ~Upload() override { join(); }

  std::exception_ptr close() override {
    join();
    end();
    return song_error_;
  }

 private:
  void join() {
    context_.TryCancel();
    // It waits for nothing but the call and the song.
    song_.set_interrupted(true);
    if (sender_.joinable()) {
      sender_.join();
    }
  }

  void send(v1::SeparationConfig config) {
    try {
      std::uint64_t offset = config.upload_offset();
      v1::SeparateRequest request;
      *request.mutable_config() = std::move(config);
      // Once the call has ended, its error is reported by its answers.
      while (stream_->Write(request)) {
        std::optional<std::string> piece = song_.read(offset);
        if (!piece) {
          return;
        }
        if (piece->empty()) {
          v1::Finish& finish = *request.mutable_finish();
          finish.set_total_bytes(offset);
          finish.set_sha256(song_.sha256(offset));
          stream_->Write(request);
          stream_->WritesDone();
          return;
        }
        offset += piece->size();
        request.set_chunk(std::move(*piece));
      }
    } catch (...) {
      // Without finish the server treats the upload as interrupted.
      song_error_ = std::current_exception();
      context_.TryCancel();
    }
  }

  SongReader& song_;
  std::exception_ptr song_error_;
  std::thread sender_;
};

}  // namespace

std::unique_ptr<Attempt> separate(const Connection& connection, Stop& stop, Deadline deadline, SongReader& song,
                                  v1::SeparationConfig config) {
  return std::make_unique<Upload>(connection, stop, deadline, song, std::move(config));
}

std::unique_ptr<Attempt> watch(const Connection& connection, Stop& stop, Deadline deadline,
                               const v1::WatchSessionRequest& request) {
  return std::make_unique<Watch>(connection, stop, deadline, request);
}

}  // namespace stemwire
