#include "spiketrain/recipe/binarize.h"

#include "spiketrain/recipe/places.h"

namespace spiketrain {
namespace {

Binarizer::Stages stages_at(const Network& network, const std::vector<std::string>& names,
                            const char* option) {
  Binarizer::Stages all;
  for (const auto& [place, stages] : places(network, names, option))
    all.insert(all.end(), stages.begin(), stages.end());
  return all;
}

}  // namespace

std::shared_ptr<Binarizer> make_binarizer(const Recipe& recipe,
                                          const std::shared_ptr<const Network>& network) {
  weight_storage(*network);  // refuses layers that cannot be quantized
  const BinarizeOptions& options = recipe.binarize;
  if (!options.active()) return nullptr;
  ST_CHECK(!options.chooses() || recipe.epochs == 0 || options.warmup < recipe.epochs,
           "binarize.warmup: ", options.warmup, " epochs in full precision, but the run has ", recipe.epochs,
           "; no layer would become binary");
  ST_CHECK(recipe.epochs == 0 || options.flips_after < recipe.epochs,
           "binarize.flips_after: ", options.flips_after, " epochs before signs flip, but the run has ",
           recipe.epochs, "; no sign would flip");
  ST_CHECK(
      options.choice != "loss_increase" || recipe.data.validation > 0,
      "binarize.choice = \"loss_increase\": expected validation samples to measure on; set data.validation to their number");
  return std::make_shared<Binarizer>(options, network, stages_at(*network, options.keep, "binarize.keep"),
                                     stages_at(*network, options.layers, "binarize.layers"),
                                     static_cast<uint64_t>(recipe.seed));
}

}  // namespace spiketrain
