#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

namespace stemwire {

/// SHA-256 of bytes that are added.
class Sha256 {
 public:
  Sha256();

  void add(std::string_view bytes);

  /// The hash of what has been added so far, 32 bytes; more can be added.
  std::string so_far() const;

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };

  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace stemwire
