#include "sha256.h"

#include <array>
#include <stdexcept>

namespace stemwire {

namespace {

void check(int result) {
  if (result != 1) {
    throw std::runtime_error("SHA-256 of OpenSSL failed");
  }
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) { check(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr)); }

void Sha256::add(std::string_view bytes) { check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size())); }

std::string Sha256::so_far() const {
  std::unique_ptr<EVP_MD_CTX, Free> copy(EVP_MD_CTX_new());
  check(EVP_MD_CTX_copy_ex(copy.get(), context_.get()));
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  unsigned size = 0;
  check(EVP_DigestFinal_ex(copy.get(), hash.data(), &size));
  return std::string(hash.begin(), hash.begin() + size);
}

}  // namespace stemwire
