#include "spiketrain/data/manual_catalogue.h"

#include <filesystem>

#include "spiketrain/base/check.h"
#include "spiketrain/base/file.h"

namespace spiketrain {
namespace {

CatalogueFile archive(const char* name, const char* md5) { return {name, 0, md5, ""}; }

std::vector<ManualEntry> entries() {
  const std::string heidelberg = "https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/";
  std::vector<ManualEntry> list = {
      {"nmnist",
       "https://www.garrickorchard.com/datasets/n-mnist",
       "unpack Train.zip and Test.zip there",
       {archive("Train.zip", "20959b8e626244a1b502305a9e6e2031"),
        archive("Test.zip", "69ca8762b2fe404d9b9bad1103e97832")},
       {{"Train", ".bin", 60000}, {"Test", ".bin", 10000}}},
      {"dvs-gesture",
       "https://research.ibm.com/interactive/dvsgesture/",
       "the page asks for consent, so it must be opened in a browser; unpack DvsGesture.tar.gz there",
       {archive("DvsGesture.tar.gz", "8a5c71fb11e24e5ca5b11866ca6c00a1")},
       {{"DvsGesture", "trials_to_train.txt", 1}, {"DvsGesture", "trials_to_test.txt", 1}}},
      {"cifar10-dvs",
       "https://figshare.com/articles/dataset/CIFAR10-DVS_New/4724671",
       "download the ten archives in a browser and unpack them there, a folder per class",
       {archive("airplane.zip", "0afd5c4bf9ae06af762a77b180354fdd"),
        archive("automobile.zip", "8438dfeba3bc970c94962d995b1b9bdd"),
        archive("bird.zip", "a9c207c91c55b9dc2002dc21c684d785"),
        archive("cat.zip", "52c63c677c2b15fa5146a8daf4d56687"),
        archive("deer.zip", "b6bf21f6c04d21ba4e23fc3e36c8a4a3"),
        archive("dog.zip", "f379ebdf6703d16e0a690782e62639c3"),
        archive("frog.zip", "cad6ed91214b1c7388a5f6ee56d08803"),
        archive("horse.zip", "e7cbbf77bec584ffbf913f00e682782a"),
        archive("ship.zip", "41c7bd7d6b251be82557c6cce9a7d5c9"),
        archive("truck.zip", "89f3922fd147d9aeff89e76a2b0b70a7")},
       {}},
      {"shd",
       heidelberg,
       "unpack shd_train.h5 and shd_test.h5 there",
       {archive("shd_train.h5.zip", "f3252aeb598ac776c1b526422d90eecb"),
        archive("shd_test.h5.zip", "1503a5064faa34311c398fb0a1ed0a6f")},
       {{"", "shd_train.h5", 1}, {"", "shd_test.h5", 1}}},
      {"ssc",
       heidelberg,
       "unpack ssc_train.h5 and ssc_test.h5 there; ssc_valid.h5 is not used",
       {archive("ssc_train.h5.zip", "d102be95e7144fcc0553d1f45ba94170"),
        archive("ssc_test.h5.zip", "a35ff1e9cffdd02a20eb850c17c37748")},
       {{"", "ssc_train.h5", 1}, {"", "ssc_test.h5", 1}}}};
  for (const char* name :
       {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"})
    list[2].folders.push_back({name, ".aedat", 1000});
  return list;
}

int64_t count_files(const std::string& folder, const std::string& extension) {
  namespace fs = std::filesystem;
  std::error_code error;
  int64_t count = 0;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    count += name.size() >= extension.size() &&
             name.compare(name.size() - extension.size(), extension.size(), extension) == 0;
  }
  return count;
}

}  // namespace

const std::vector<ManualEntry>& manual_catalogue() {
  static const std::vector<ManualEntry> list = entries();
  return list;
}

const ManualEntry* find_manual_entry(const std::string& name) {
  for (const ManualEntry& entry : manual_catalogue()) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

std::vector<FileStatus> data_check(const ManualEntry& entry, const std::string& dir) {
  std::vector<FileStatus> result;
  const std::string root = dir + "/" + entry.name + "/";
  for (const CatalogueFile& file : entry.archives) {
    if (file_exists(root + file.name)) result.push_back(check_file(file, root + file.name));
  }
  for (const CatalogueFolder& folder : entry.folders) {
    const int64_t found = count_files(root + folder.folder, folder.extension);
    const std::string pattern = folder.files == 1 ? folder.extension : "*" + folder.extension;
    result.push_back({root + folder.folder + (folder.folder.empty() ? "" : "/") + pattern,
                      found == folder.files ? FileState::present
                      : found == 0          ? FileState::missing
                                            : FileState::wrong,
                      found == 0 ? std::string("missing") : str(found, " of ", folder.files, " files")});
  }
  return result;
}

std::string how_to_get(const ManualEntry& entry) {
  return str(entry.name, " must be downloaded by hand from ", entry.page, " into ", entry.name,
             "/ of the data folder; ", entry.note);
}

}  // namespace spiketrain
