// The program that clients/conformance runs: a task as JSON in, what was received as JSON out; or a list of them.
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <openssl/evp.h>
#include <stemwire/client.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <thread>

namespace {

using google::protobuf::Struct;
using google::protobuf::Value;
using Clock = std::chrono::steady_clock;

/// The fields of clients/conformance/README.md.
class Task {
 public:
  explicit Task(const Struct& fields) : fields_(fields) {}

  const Value& operator[](const std::string& name) const {
    const auto field = fields_.fields().find(name);
    return field == fields_.fields().end() ? Value::default_instance() : field->second;
  }

  const std::string& text(const std::string& name) const { return (*this)[name].string_value(); }

  std::uint64_t number(const std::string& name) const {
    return static_cast<std::uint64_t>((*this)[name].number_value());
  }

 private:
  const Struct& fields_;
};

/// What was received of a stem, from a frame on.
class Stem {
 public:
  explicit Stem(std::uint64_t start) : start_(start), hash_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(hash_.get(), EVP_sha256(), nullptr);
  }

  void add(const stemwire::Chunk& chunk, bool is_hashed) {
    if (start_ + frames_ != chunk.start_frame) {
      throw std::logic_error("a frame is repeated or missing");
    }
    frames_ += chunk.frames();
    if (is_hashed) {
      EVP_DigestUpdate(hash_.get(), chunk.pcm.data(), chunk.pcm.size());
    }
  }

  Value answer() {
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(hash_.get(), hash, &size);
    std::string hex;
    for (unsigned n = 0; n < size; n++) {
      hex += "0123456789abcdef"[hash[n] >> 4];
      hex += "0123456789abcdef"[hash[n] & 15];
    }
    Value answer;
    auto& fields = *answer.mutable_struct_value()->mutable_fields();
    fields["frames"].set_number_value(static_cast<double>(frames_));
    fields["sha256"].set_string_value(hex);
    return answer;
  }

 private:
  std::uint64_t start_;
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash_;
  std::uint64_t frames_ = 0;
};

stemwire::v1::Encoding encoding(const Task& task) {
  static const std::map<std::string, stemwire::v1::Encoding> encodings = {{"s16", stemwire::v1::ENCODING_S16LE},
                                                                          {"s24", stemwire::v1::ENCODING_S24LE}};
  const auto known = encodings.find(task.text("encoding"));
  return known == encodings.end() ? stemwire::v1::ENCODING_UNSPECIFIED : known->second;
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

stemwire::Client client(const Task& task) {
  stemwire::ClientOptions options;
  options.token = task.text("token");
  if (!task.text("authority").empty()) {
    options.authority = content(task.text("authority"));
  }
  if (task["attempts"].has_number_value()) {
    options.retry.attempts = static_cast<int>(task.number("attempts"));
  }
  return stemwire::Client(task.text("server"), options);
}

stemwire::Song song(const Task& task) {
  const auto input = stemwire::descriptor(STDIN_FILENO);
  if (task["raw"].bool_value()) {
    return stemwire::Song::pcm(input, stemwire::v1::ENCODING_S16LE, 44'100, 2);
  }
  const std::string& path = task.text("song");
  if (path.empty()) {
    return stemwire::Song::stream(input);
  }
  return task["memory"].bool_value() ? stemwire::Song::bytes(content(path)) : stemwire::Song::file(path);
}

stemwire::Separation separation(const Task& task, const stemwire::Client& client) {
  if (!task.text("watch").empty()) {
    stemwire::v1::WatchSessionRequest request;
    request.set_session_id(task.text("watch"));
    request.set_encoding(encoding(task));
    for (const Value& stem : task["stems"].list_value().values()) {
      stemwire::v1::StemCursor& cursor = *request.add_stems();
      cursor.set_stem(stem.string_value());
      cursor.set_start_frame(task.number("start_frame"));
    }
    return client.watch(request);
  }
  stemwire::v1::SeparationConfig config;
  config.set_model(task.text("model"));
  config.set_request_id(task.text("request_id"));
  config.mutable_output()->set_encoding(encoding(task));
  for (const Value& stem : task["stems"].list_value().values()) {
    config.add_stems(stem.string_value());
  }
  return client.separate(song(task), config);
}

double seconds(Clock::time_point since) { return std::chrono::duration<double>(Clock::now() - since).count(); }

Struct run(const Task& task) {
  const stemwire::Client server = client(task);
  stemwire::Separation events = separation(task, server);
  if (task["time_limit_ms"].has_number_value()) {
    events.set_time_limit(std::chrono::milliseconds(task.number("time_limit_ms")));
  }
  const bool is_measured = task["measure"].bool_value();
  const auto began = Clock::now();
  std::map<std::string, Stem> stems;
  int chunks = 0;
  int reconnects = 0;
  Struct answer;
  auto& fields = *answer.mutable_fields();
  for (const stemwire::Event& event : events) {
    reconnects += std::holds_alternative<stemwire::Reconnecting>(event) ? 1 : 0;
    const auto* chunk = std::get_if<stemwire::Chunk>(&event);
    if (chunk == nullptr) {
      continue;
    }
    stems.try_emplace(chunk->stem, task.number("start_frame")).first->second.add(*chunk, !is_measured);
    chunks++;
    if (chunks == 1 && is_measured) {
      fields["first_s"].set_number_value(seconds(began));
    }
    if (task["leave"].bool_value()) {
      break;
    }
    if (chunks == 1 && task["cancel"].bool_value()) {
      events.cancel();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(task.number("slow_ms")));
  }
  if (is_measured) {
    fields["seconds"].set_number_value(seconds(began));
  }
  fields["session"].set_string_value(events.session().session_id());
  fields["rate"].set_number_value(events.session().source().output_sample_rate());
  fields["reconnects"].set_number_value(reconnects);
  auto& received = *fields["stems"].mutable_struct_value()->mutable_fields();
  for (auto& [name, stem] : stems) {
    received[name] = stem.answer();
  }
  return answer;
}

Struct failed(const stemwire::Error& error) {
  Struct answer;
  auto& fields = *(*answer.mutable_fields())["error"].mutable_struct_value()->mutable_fields();
  fields["code"].set_number_value(error.code());
  fields["reason"].set_string_value(error.reason_name());
  fields["message"].set_string_value(error.what());
  fields["remedy"].set_string_value(error.remedy());
  return answer;
}

Struct outcome(const Value& task) {
  try {
    return run(Task(task.struct_value()));
  } catch (const stemwire::Error& error) {
    return failed(error);
  }
}

}  // namespace

int main(int, char** argv) {
  Value asked;
  if (!google::protobuf::util::JsonStringToMessage(argv[1], &asked).ok()) {
    return 2;
  }
  Value answer;
  if (asked.has_list_value()) {
    for (const Value& task : asked.list_value().values()) {
      *answer.mutable_list_value()->add_values()->mutable_struct_value() = outcome(task);
    }
  } else {
    *answer.mutable_struct_value() = outcome(asked);
  }
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(answer, &json).ok()) {
    return 1;
  }
  std::cout << json << "\n";
}
