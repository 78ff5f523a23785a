// generate_messages: writes made-up mail into a directory.
//
//   generate_messages [--seed N] [--domain DOMAIN]... COUNT DIRECTORY
//
// Message I becomes DIRECTORY/I.eml (the content as one would feed it to `jobctl submit -i`), and
// DIRECTORY/index.jsonl gets a line {"number":1,"kind":"plain","file":"1.eml","from":"…","to":["…"]}.
// Recipients are user1 … user120 at the DOMAINs, in turn (example.com if none is given). The same seed makes
// the same mail.
#include "messages/messages.hpp"

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct usage {};

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) throw usage();
  return value;
}

void write(const std::filesystem::path& directory, messages::generator& generator, std::uint64_t count) {
  std::filesystem::create_directories(directory);
  std::ofstream index(directory / "index.jsonl", std::ios::binary);
  index.exceptions(std::ios::failbit | std::ios::badbit);
  for (std::uint64_t i = 0; i < count; ++i) {
    const messages::message made = generator.next();
    const std::string file = std::to_string(made.number) + ".eml";
    std::ofstream out(directory / file, std::ios::binary);
    out.exceptions(std::ios::failbit | std::ios::badbit);
    out << made.content;
    out.close();
    index << "{\"number\":" << made.number << ",\"kind\":\"" << messages::name(made.kind) << "\",\"file\":\""
          << file << "\",\"from\":\"" << made.from << "\",\"to\":[";
    for (std::size_t r = 0; r < made.to.size(); ++r) index << (r > 0 ? ",\"" : "\"") << made.to[r] << '"';
    index << "]}\n";
  }
  index.close();
}

}  // namespace

int main(int argc, char** argv) try {
  std::uint64_t seed = 1;
  std::vector<std::string> domains;
  std::vector<std::string_view> operands;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--seed" && i + 1 < argc) {
      seed = number(argv[++i]);
    } else if (argument == "--domain" && i + 1 < argc) {
      domains.emplace_back(argv[++i]);
    } else if (argument.starts_with("-")) {
      throw usage();
    } else {
      operands.push_back(argument);
    }
  }
  if (operands.size() != 2) throw usage();
  if (domains.empty()) domains.emplace_back("example.com");
  messages::generator generator(seed, domains);
  write(operands[1], generator, number(operands[0]));
  return 0;
} catch (const usage&) {
  std::cerr << "usage: generate_messages [--seed N] [--domain DOMAIN]... COUNT DIRECTORY\n";
  return 64;
} catch (const std::exception& e) {
  std::cerr << "generate_messages: " << e.what() << '\n';
  return 74;
}
