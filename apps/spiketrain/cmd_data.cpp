// spiketrain data list | check | fetch: the files of the data sets.
#include <unistd.h>

#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/base/check.h"
#include "spiketrain/base/registry.h"
#include "spiketrain/data/catalogue.h"
#include "spiketrain/data/manual_catalogue.h"
#include "spiketrain/data/source.h"

namespace spiketrain::cli {
namespace {

struct DataCommand {
  std::string action, dir, base_url;
  std::vector<std::string> names;
};

/// Prints one line per file; true if all are present and right.
bool report(const std::vector<FileStatus>& files) {
  bool good = true;
  std::vector<std::vector<std::string>> rows;
  for (const FileStatus& file : files) {
    const char* state = file.state == FileState::present   ? "ok"
                        : file.state == FileState::missing ? "missing"
                                                           : "WRONG";
    rows.push_back({state, file.path, file.detail});
    good = good && file.state == FileState::present;
  }
  print_table(rows, 2);
  return good;
}

/// The official downloads: from where, how large, which checksum.
void list_files() {
  for (const CatalogueEntry& entry : catalogue()) {
    std::cout << '\n' << entry.name << '\n';
    for (const std::string& url : entry.base_urls) std::cout << "  from " << url << '\n';
    std::vector<std::vector<std::string>> rows;
    for (const CatalogueDownload& download : entry.downloads) {
      const CatalogueFile& file = download.file;
      rows.push_back({file.name, std::to_string(file.bytes) + " bytes", "sha256 " + file.sha256});
    }
    print_table(rows, 2);
  }
  for (const ManualEntry& entry : manual_catalogue()) {
    std::cout << '\n' << entry.name << "\n  " << how_to_get(entry) << '\n';
    std::vector<std::vector<std::string>> rows;
    for (const CatalogueFile& file : entry.archives) rows.push_back({file.name, "md5 " + file.md5});
    print_table(rows, 2);
  }
}

void list_sets() {
  std::vector<std::vector<std::string>> rows;
  for (const DatasetInfo& info : dataset_infos()) {
    std::string size = info.files ? "own files" : "built in";
    if (find_manual_entry(info.name)) size = "by hand";
    for (const CatalogueEntry& entry : catalogue()) {
      if (entry.name != info.name) continue;
      uint64_t bytes = 0;
      for (const CatalogueDownload& download : entry.downloads) bytes += download.file.bytes;
      size = number(static_cast<double>(bytes) / 1e6, 3) + " MB";
    }
    rows.push_back({info.name, size, info.doc});
  }
  print_table(rows);
}

void show_download(const FetchProgress& progress) {
  if (isatty(STDOUT_FILENO) == 0) return;
  std::cout << "\r\033[K  " << progress.file << "  " << progress.done / 1000000 << " / "
            << progress.total / 1000000 << " MB" << std::flush;
  if (progress.done == progress.total) std::cout << "\r\033[K" << std::flush;
}

int run_data(DataCommand command) {
  if (command.action == "list") {
    list_sets();
    list_files();
    return kOk;
  }
  ST_CHECK(!command.dir.empty(), "data ", command.action,
           ": expected --data-dir or the variable SPIKETRAIN_DATA");
  if (command.names.empty()) {
    ST_CHECK(command.action == "check",
             "data fetch: expected the names of data sets; see `spiketrain data list`");
    for (const CatalogueEntry& entry : catalogue()) command.names.push_back(entry.name);
    for (const ManualEntry& entry : manual_catalogue()) command.names.push_back(entry.name);
  }
  bool good = true;
  for (const std::string& name : command.names) {
    ST_CHECK(dataset_info(name).files, "data ", command.action, ": ", name, " is built in, it has no files");
    const ManualEntry* manual = find_manual_entry(name);
    if (manual && command.action == "check") {
      std::cout << name << '\n';
      const bool complete = report(data_check(*manual, command.dir));
      if (!complete) std::cout << "  " << how_to_get(*manual) << '\n';
      good = complete && good;
      continue;
    }
    const CatalogueEntry& entry = catalogue_entry(name);
    std::cout << name << '\n';
    if (command.action == "check") {
      const bool complete = report(data_check(entry, command.dir));
      if (!complete)
        std::cout << "  bring them with: spiketrain data fetch " << name << " --data-dir "
                  << shell_word(command.dir) << "  (from " << entry.base_urls[0] << ")\n";
      good = complete && good;
      continue;
    }
    FetchOptions options;
    options.base_url = command.base_url;
    options.progress = show_download;
    good = report(fetch(entry, command.dir, options)) && good;
  }
  return good ? kOk : kData;
}

}  // namespace

void add_data(CLI::App& app, int& exit_code) {
  CLI::App* data = app.add_subcommand("data", "list, check or fetch data sets");
  data->require_subcommand(1);
  const auto add = [&](const char* action, const char* help) {
    auto command = std::make_shared<DataCommand>();
    command->action = action;
    CLI::App* sub = data->add_subcommand(action, help);
    if (command->action != "list") {
      sub->add_option("names", command->names, "data sets");
      add_data_dir(*sub, command->dir);
    }
    if (command->action == "fetch")
      sub->add_option("--base-url", command->base_url, "fetch from this mirror")
          ->check([](const std::string& url) { return url.empty() ? "expected an address" : ""; });
    sub->callback([command, &exit_code] { exit_code = run_data(*command); });
  };
  add("list", "show the data sets");
  add("check", "compare the files with their published size and checksum");
  add("fetch", "download what is missing or wrong");
}

}  // namespace spiketrain::cli
