// The table of official files, and checking what is on disk against it.
// Checksums: MD5 as published by the data sets' authors and mirrors.  SHA-256: of files with that MD5 for
// MNIST and Fashion-MNIST; for CIFAR-10 as published by others, not checked against the files.
#include "spiketrain/data/catalogue.h"

#include <unistd.h>

#include <cerrno>

#include "spiketrain/base/check.h"
#include "spiketrain/base/file.h"
#include "spiketrain/base/sha256.h"
#include "spiketrain/data/manual_catalogue.h"

namespace spiketrain {
namespace {

CatalogueEntry mnist() {
  return {"mnist",
          {"https://ossci-datasets.s3.amazonaws.com/mnist/",
           "https://storage.googleapis.com/cvdf-datasets/mnist/"},
          {{{"train-images-idx3-ubyte.gz", 9912422, "f68b3c2dcbeaaa9fbdd348bbdeb94873",
             "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
            {}},
           {{"train-labels-idx1-ubyte.gz", 28881, "d53e105ee54ea40749a09fcbcd1e9432",
             "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
            {}},
           {{"t10k-images-idx3-ubyte.gz", 1648877, "9fb629c4189551a2d022fa330f9573f3",
             "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
            {}},
           {{"t10k-labels-idx1-ubyte.gz", 4542, "ec29112dd5afa0611ce80d1b7f02629c",
             "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"},
            {}}}};
}

CatalogueEntry fashion_mnist() {
  return {"fashion-mnist",
          {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"},
          {{{"train-images-idx3-ubyte.gz", 26421880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
             "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
            {}},
           {{"train-labels-idx1-ubyte.gz", 29515, "25c81989df183df01b3e8a0aad5dffbe",
             "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
            {}},
           {{"t10k-images-idx3-ubyte.gz", 4422102, "bef4ecab320f06d8554ea6380940ec79",
             "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
            {}},
           {{"t10k-labels-idx1-ubyte.gz", 5148, "bb300cfdad3c16e7a12a480ee83cd310",
             "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"},
            {}}}};
}

CatalogueEntry cifar10() {
  constexpr uint64_t kBatch = 10000 * 3073;
  const std::string folder = "cifar-10-batches-bin/";
  return {"cifar10",
          {"https://www.cs.toronto.edu/~kriz/"},
          {{{"cifar-10-binary.tar.gz", 170052171, "c32a1d4ab5d03f1284b67883e8d87530",
             "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
            {{folder + "data_batch_1.bin", kBatch, "",
              "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
             {folder + "data_batch_2.bin", kBatch, "",
              "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
             {folder + "data_batch_3.bin", kBatch, "",
              "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
             {folder + "data_batch_4.bin", kBatch, "",
              "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
             {folder + "data_batch_5.bin", kBatch, "",
              "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
             {folder + "test_batch.bin", kBatch, "",
              "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"}}}}};
}

}  // namespace

const std::vector<CatalogueEntry>& catalogue() {
  static const std::vector<CatalogueEntry> entries = {mnist(), fashion_mnist(), cifar10()};
  return entries;
}

const CatalogueEntry& catalogue_entry(const std::string& name) {
  std::string known;
  if (const ManualEntry* manual = find_manual_entry(name)) throw UsageError(how_to_get(*manual));
  for (const CatalogueEntry& entry : catalogue()) {
    if (entry.name == name) return entry;
    known += (known.empty() ? "" : ", ") + entry.name;
  }
  throw UsageError(str("no official files of \"", name, "\" are known; they are of: ", known));
}

FileStatus check_file(const CatalogueFile& file, const std::string& path) {
  if (::access(path.c_str(), R_OK) != 0 && errno == EACCES)
    return {path, FileState::wrong, "cannot be read: permission denied"};
  if (!file_exists(path)) {
    const bool gzip = path.size() > 3 && path.compare(path.size() - 3, 3, ".gz") == 0;
    const bool plain = gzip && file_exists(path.substr(0, path.size() - 3));
    return {path, FileState::missing,
            plain ? "missing; an unpacked copy is used, which cannot be checked" : "missing"};
  }
  try {
    const uint64_t bytes = file_size(path);
    if (file.bytes != 0 && bytes != file.bytes)
      return {path, FileState::wrong, str("expected ", file.bytes, " bytes, found ", bytes)};
    const FileDigest digest = digest_file(path);
    const bool sha = !file.sha256.empty();
    const std::string &expected = sha ? file.sha256 : file.md5, &found = sha ? digest.sha256 : digest.md5;
    const char* kind = sha ? "sha256" : "md5";
    if (found != expected)
      return {path, FileState::wrong, str("expected ", kind, " ", expected, ", found ", found)};
    return {path, FileState::present, str(kind, " ok")};
  } catch (const DataError& error) {
    return {path, FileState::wrong, error.what()};
  }
}

std::vector<FileStatus> data_check(const CatalogueEntry& entry, const std::string& dir) {
  std::vector<FileStatus> result;
  const std::string folder = dir + "/" + entry.name + "/";
  for (const CatalogueDownload& download : entry.downloads) {
    if (download.unpacked.empty()) result.push_back(check_file(download.file, folder + download.file.name));
    for (const CatalogueFile& file : download.unpacked)
      result.push_back(check_file(file, folder + file.name));
  }
  return result;
}

std::vector<FileStatus> data_check(const std::string& name, const std::string& dir) {
  return data_check(catalogue_entry(name), dir);
}

}  // namespace spiketrain
