// Separates while it records: raw PCM from standard input, vocals as raw PCM to standard output.
//
//     arecord -f cd -t raw | live http://127.0.0.1:8000 | aplay -f FLOAT_LE -c 2 -r 44100
#include <stemwire/client.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: live SERVER\n";
    return 2;
  }
  try {
    stemwire::v1::SeparationConfig config;
    config.add_stems("vocals");
    const stemwire::Client client(argv[1]);
    auto song = stemwire::Song::pcm(stemwire::descriptor(STDIN_FILENO), stemwire::v1::ENCODING_S16LE, 44'100, 2);
    auto separation = client.separate(std::move(song), config);
    for (const stemwire::Event& event : separation) {
      if (const auto* chunk = std::get_if<stemwire::Chunk>(&event)) {
        std::cout.write(chunk->pcm.data(), static_cast<std::streamsize>(chunk->pcm.size())).flush();
      } else if (const auto* changed = std::get_if<stemwire::EngineChanged>(&event)) {
        std::cerr << "note: " << changed->change.message() << "\n";
      } else if (const auto* broken = std::get_if<stemwire::Reconnecting>(&event)) {
        std::cerr << broken->error.what() << ": trying again in " << broken->pause.count() << " ms\n";
      }
    }
  } catch (const stemwire::Error& error) {
    std::cerr << "error: " << error.what() << "\nremedy: " << error.remedy() << "\n";
    return EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return EXIT_FAILURE;
  }
}
