// SHA-256 and MD5 through OpenSSL's EVP interface; contracts in sha256.h.
#include "spiketrain/base/sha256.h"

#include <openssl/evp.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

class Digest {
 public:
  explicit Digest(const EVP_MD* kind) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    // A FIPS build of OpenSSL may refuse MD5.
    if (!context_ || EVP_DigestInit_ex(context_.get(), kind, nullptr) != 1) {
      throw std::runtime_error("OpenSSL refuses the requested digest");
    }
  }
  void update(ByteSpan bytes) {
    if (EVP_DigestUpdate(context_.get(), bytes.data, bytes.size) != 1)
      throw std::runtime_error("OpenSSL digest failed");
  }
  std::string hex() {
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_DigestFinal_ex(context_.get(), raw, &size) != 1)
      throw std::runtime_error("OpenSSL digest failed");
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += "0123456789abcdef"[raw[i] >> 4];
      text += "0123456789abcdef"[raw[i] & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

std::string digest(const EVP_MD* kind, ByteSpan bytes) {
  Digest one(kind);
  one.update(bytes);
  return one.hex();
}

}  // namespace

std::string sha256_hex(ByteSpan bytes) { return digest(EVP_sha256(), bytes); }
std::string sha256_hex_of_parts(const std::vector<ByteSpan>& parts) {
  Digest sha(EVP_sha256());
  for (const ByteSpan& part : parts) sha.update(part);
  return sha.hex();
}
std::string md5_hex(ByteSpan bytes) { return digest(EVP_md5(), bytes); }

FileDigest digest_file(const std::string& path) {
  file_size(path);
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) throw SystemError(path, "open", errno);
  Digest sha(EVP_sha256()), md5(EVP_md5());
  Bytes piece(size_t{1} << 17);
  uint64_t done = 0;
  while (const size_t n = std::fread(piece.data(), 1, piece.size(), file.get())) {
    sha.update({piece.data(), n});
    md5.update({piece.data(), n});
    done += n;
  }
  if (std::ferror(file.get())) throw SystemError(path, "read", errno, done);
  return {sha.hex(), md5.hex()};
}

}  // namespace spiketrain
