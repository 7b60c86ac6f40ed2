// Separates a song into WAV files: save_stems SERVER SONG FOLDER [STEM …].
#include <stemwire/client.h>

#include <cstdlib>
#include <exception>
#include <iostream>

namespace {

void report(const stemwire::Event& event) {
  if (const auto* progressed = std::get_if<stemwire::Progressed>(&event)) {
    std::cerr << progressed->progress.finished_frames() << " of " << progressed->progress.total_frames() << " frames\n";
  } else if (const auto* changed = std::get_if<stemwire::EngineChanged>(&event)) {
    std::cerr << "note: " << changed->change.message() << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: save_stems SERVER SONG FOLDER [STEM …]\n";
    return 2;
  }
  try {
    stemwire::v1::SeparationConfig config;
    config.mutable_stems()->Assign(argv + 4, argv + argc);
    const stemwire::Client client(argv[1]);
    const stemwire::Saved saved = client.separate(stemwire::Song::file(argv[2]), config).save(argv[3], report);
    for (const auto& [stem, file] : saved.files) {
      std::cout << stem << " " << file.string() << "\n";
    }
  } catch (const stemwire::Error& error) {
    std::cerr << "error: " << error.what() << "\nremedy: " << error.remedy() << "\n";
    return EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return EXIT_FAILURE;
  }
}
