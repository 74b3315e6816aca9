// Samples per second of the loader, batches of 64 in a new order each time: images of 28 x 28 in memory and in a file, its
// pages kept by the system or thrown out before each epoch; recordings of 34 x 34 framed each time and from the cache.
// Only preparing is timed; what training needs is in docs/performance.md.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "spiketrain/base/file.h"
#include "spiketrain/base/input_file.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/data/events/frame_dataset.h"
#include "spiketrain/data/images/image_dataset.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/data/source.h"

namespace spiketrain::bench {
namespace {

constexpr int64_t kImages = 200000, kPixels = 784, kFew = 20000;

RawImages noise_images() {
  RawImages raw;
  raw.height = raw.width = 28;
  raw.labels.resize(kImages);
  raw.pixels.resize(kImages * kPixels);
  Rng rng(1, Purpose::test);
  for (uint8_t& pixel : raw.pixels) pixel = static_cast<uint8_t>(rng.next());
  return raw;
}

/// The pixels of the images, in a file that goes with the process.
struct ImageFile {
  std::string path =
      (std::filesystem::temp_directory_path() / ("spiketrain-bench-" + std::to_string(::getpid()))).string();
  RawImages raw = noise_images();
  ImageFile() {
    write_file_atomic(path, {raw.pixels});
    raw.files = {{std::make_shared<const InputFile>(path), 0, kPixels, kImages}};
    raw.pixels = {};
  }
  ~ImageFile() { std::filesystem::remove(path); }
  /// Its pages are thrown out of the system's cache.
  void forget() const {
    const int fd = ::open(path.c_str(), O_RDONLY);
    ::fdatasync(fd);
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    ::close(fd);
  }
};

const ImageFile& image_file() {
  static const ImageFile file;
  return file;
}

std::vector<int64_t> indices_of(int64_t n) {
  std::vector<int64_t> indices(static_cast<size_t>(n));
  for (size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<int64_t>(i);
  return indices;
}

/// `before` is called before each epoch, of which the first kFew samples are prepared.
template <class Before>
void load(benchmark::State& state, const Dataset& data, Before&& before) {
  LoaderOptions options;
  options.threads = static_cast<int>(state.range(0));
  Loader loader(data, options);
  const int64_t batches = std::min<int64_t>(loader.batches(), kFew / options.batch_size);
  int64_t epoch = 0;
  for (auto _ : state) {
    state.PauseTiming();
    before();
    state.ResumeTiming();
    loader.start(epoch++);
    Batch batch;
    for (int64_t k = 0; k < batches; ++k) loader.next(batch);
  }
  state.SetItemsProcessed(state.iterations() * batches * options.batch_size);
}

void BM_images_in_memory(benchmark::State& state) {
  const auto data = make_image_dataset("memory", std::make_shared<const RawImages>(noise_images()),
                                       indices_of(kImages), {});
  load(state, *data, [] {});
}

void images_in_a_file(benchmark::State& state, bool cold) {
  const ImageFile& file = image_file();
  const auto data =
      make_image_dataset("file", std::make_shared<const RawImages>(file.raw), indices_of(kImages), {});
  load(state, *data, [&] {
    if (cold) file.forget();
  });
}
void BM_images_in_a_file(benchmark::State& state) { images_in_a_file(state, false); }
void BM_images_on_a_disk(benchmark::State& state) { images_in_a_file(state, true); }

void frames(benchmark::State& state, int64_t cache_mib) {
  DataOptions options;
  options.name = "glyph-events";
  options.train_size = 2000;
  options.steps = 10;
  options.events.cache_mib = cache_mib;
  const auto data = open_dataset(options);
  load(state, *data, [] {});
}
void BM_frames_made(benchmark::State& state) { frames(state, 0); }
void BM_frames_from_the_cache(benchmark::State& state) { frames(state, 1024); }

BENCHMARK(BM_images_in_memory)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BM_images_in_a_file)->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BM_images_on_a_disk)->Arg(1)->Arg(2)->Arg(8)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BM_frames_made)->Arg(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(BM_frames_from_the_cache)->Arg(1)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace spiketrain::bench
