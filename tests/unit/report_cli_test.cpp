// `spiketrain report` and `spiketrain watch` as a user meets them, and the page in a browser if there is one.
#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include <chrono>
#include <filesystem>
#include <regex>
#include <thread>

#include "spiketrain/report/plot.h"
#include "tests/support/report_runs.h"
#include "tests/support/scoped_variable.h"

namespace spiketrain::report_cli_test {

namespace fs = std::filesystem;

class ReportCli : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    runs_ = new TempDir;
    train_for_report(*runs_ / "a", {});
    train_for_report(*runs_ / "b", {"rule.variant=dec2020", "seed=2"});
  }
  static void TearDownTestSuite() { delete runs_; }
  int run(std::vector<std::string> words) {
    words.insert(words.begin(), ST_CLI);
    const int code = wait_for(spawn(words, dir_ / "output"));
    text_ = text_of(dir_ / "output");
    return code;
  }
  /// So far, of a program that may not have begun.
  std::string output() const { return file_exists(dir_ / "output") ? text_of(dir_ / "output") : ""; }
  bool says(const std::string& part) const { return text_.find(part) != std::string::npos; }

  static TempDir* runs_;
  const ScopedVariable no_data_{"SPIKETRAIN_DATA", nullptr};
  TempDir dir_;
  std::string text_;
};
TempDir* ReportCli::runs_ = nullptr;

TEST_F(ReportCli, WritesThePageIntoTheRun) {
  ASSERT_EQ(run({"report", *runs_ / "a", "--samples", "30", "--threads", "1"}), 0) << text_;
  EXPECT_TRUE(says("complete, 2 of 2 epochs")) << text_;
  EXPECT_TRUE(says("a/report.html")) << text_;
  expect_sound_page(text_of(*runs_ / "a/report.html"));
  const Config json = Config::parse(text_of(*runs_ / "a/report.json"));
  EXPECT_EQ(json["runs"][0]["passes"]["samples"], 30);
  EXPECT_EQ(json["runs"][0]["epochs"], 2);
}

TEST_F(ReportCli, ComparesRuns) {
  ASSERT_EQ(run({"report", *runs_ / "a", *runs_ / "b", "--out", dir_ / "both.html", "--samples", "20",
                 "--threads", "1"}),
            0)
      << text_;
  const std::string html = text_of(dir_ / "both.html");
  expect_sound_page(html);
  EXPECT_NE(html.find(">seed</th>"), std::string::npos) << "options in which they differ";
  EXPECT_EQ(Config::parse(text_of(dir_ / "both.json"))["runs"].size(), 2U);
}

TEST_F(ReportCli, RefusesWhatIsNoRun) {
  EXPECT_EQ(run({"report", dir_.path()}), 2);
  EXPECT_TRUE(says("is no run directory")) << text_;
  EXPECT_EQ(run({"report", *runs_ / "a", "--out", dir_ / "x.json"}), 2);
  EXPECT_TRUE(says("expected a name for the page")) << text_;
  EXPECT_EQ(run({"report", *runs_ / "a", "--samples", "-1"}), 2);
  EXPECT_EQ(run({"report", *runs_ / "a", "--set", "network.spec=5C5-10"}), 2) << text_;
  EXPECT_EQ(run({"report", *runs_ / "a", "--out", dir_ / "none/x.html", "--samples", "10"}), 3) << text_;
  EXPECT_EQ(run({"watch", dir_ / "none"}), 2);
  EXPECT_TRUE(says("is no run directory")) << text_;
}

TEST_F(ReportCli, WithoutDataThePageIsThere) {
  fs::copy(*runs_ / "a", dir_ / "run", fs::copy_options::recursive);
  Config config = load_config(dir_ / "run/config.toml");
  config["data"]["name"] = "mnist";
  write_file_atomic(dir_ / "run/config.toml", write_toml(config));
  for (const std::vector<std::string>& more : std::vector<std::vector<std::string>>{
           {}, {"--data-dir", dir_ / "nothing"}, {"--set", "data.batch=5"}}) {
    std::vector<std::string> words = {"report", dir_ / "run"};
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_EQ(run(words), 0) << text_;
    EXPECT_TRUE(says("is not at hand")) << text_;
    expect_sound_page(text_of(dir_ / "run/report.html"));
  }
}

TEST_F(ReportCli, DamagedMetricsAreNamed) {
  fs::copy(*runs_ / "a", dir_ / "run", fs::copy_options::recursive);
  write_file_atomic(dir_ / "run/metrics.jsonl", std::string("{\"epoch\": 1}\nnonsense\n"));
  for (const char* command : {"report", "watch"}) {
    EXPECT_EQ(run({command, dir_ / "run"}), 3);
    EXPECT_TRUE(says("metrics.jsonl: byte 13")) << text_;
  }
}

TEST_F(ReportCli, WatchPrintsAFrameAndEnds) {
  const ScopedVariable plain("LC_ALL", "C");
  ASSERT_EQ(run({"watch", *runs_ / "a", "--once"}), 0) << text_;
  for (const char* part : {"complete: epoch 2 of 2", "accuracy", "loss", "rates", "best test accuracy"})
    EXPECT_TRUE(says(part)) << part << "\n" << text_;
  for (const char c : text_) EXPECT_EQ(c & 0x80, 0);
  ASSERT_EQ(run({"watch", *runs_ / "a"}), 0) << "a complete run is not waited for";
  fs::create_directories(dir_ / "new");
  ASSERT_EQ(run({"watch", dir_ / "new", "--once"}), 0);
  EXPECT_TRUE(says("nothing yet")) << text_;
}

TEST_F(ReportCli, WatchDrawsBrailleWhereTheLocaleIsUtf8) {
  const ScopedVariable utf8("LC_ALL", "C.UTF-8");
  ASSERT_EQ(run({"watch", *runs_ / "a", "--once"}), 0) << text_;
  EXPECT_NE(text_.find("\xE2\xA0"), std::string::npos) << text_;
  ASSERT_EQ(run({"watch", *runs_ / "a", "--once", "--ascii"}), 0) << text_;
  EXPECT_EQ(text_.find("\xE2"), std::string::npos) << text_;
}

TEST_F(ReportCli, WatchFollowsARunAndEndsWithIt) {
  fs::copy(*runs_ / "a", dir_ / "run", fs::copy_options::recursive);
  fs::remove(dir_ / "run/DONE");
  std::optional<FileLock> trains(std::in_place, dir_ / "run/lock", "the run");
  const std::string all = text_of(dir_ / "run/metrics.jsonl");
  write_file_atomic(dir_ / "run/metrics.jsonl", all.substr(0, all.find('\n') + 1));
  const pid_t child = spawn({ST_CLI, "watch", dir_ / "run", "--interval", "0.1", "--ascii"}, dir_ / "output");
  const auto waits_for = [&](const std::string& part) {
    for (int i = 0; i < 1200; ++i) {
      if (output().find(part) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  };
  EXPECT_TRUE(waits_for("training: epoch 1 of 2"));
  write_file_atomic(dir_ / "run/metrics.jsonl", all);
  EXPECT_TRUE(waits_for("training: epoch 2 of 2"));
  write_file_atomic(dir_ / "run/DONE", std::string("complete\n"));
  EXPECT_EQ(wait_for(child), 0);
  EXPECT_TRUE(waits_for("complete: epoch 2 of 2"));
}

TEST_F(ReportCli, WatchEndsWithAProcessThatWasKilled) {
  fs::copy(*runs_ / "a", dir_ / "run", fs::copy_options::recursive);
  fs::remove(dir_ / "run/DONE");
  ASSERT_EQ(run({"watch", dir_ / "run"}), 0) << "nobody trains";
  EXPECT_TRUE(says("stopped: epoch 2 of 2")) << text_;
  EXPECT_FALSE(says("to go")) << text_;
  write_file_atomic(dir_ / "run/nan_dump.safetensors", std::string("x"));
  ASSERT_EQ(run({"watch", dir_ / "run"}), 0);
  EXPECT_TRUE(says("failed (NaN, see nan_dump.safetensors)")) << text_;
}

TEST_F(ReportCli, WatchEndsWhenNobodyReads) {
  fs::copy(*runs_ / "a", dir_ / "run", fs::copy_options::recursive);
  fs::remove(dir_ / "run/DONE");
  const FileLock trains(dir_ / "run/lock", "the run");
  const std::string command =
      std::string(ST_CLI) + " watch '" + (dir_ / "run") + "' --interval 3600 | head -1";
  EXPECT_EQ(wait_for(spawn({"/bin/sh", "-c", command}, dir_ / "output")), 0);
  EXPECT_NE(text_of(dir_ / "output").find("drawn <digits>"), std::string::npos);
}

TEST_F(ReportCli, WatchDrawsOverTheFrameBefore) {
  fs::copy(*runs_ / "a", dir_ / "run", fs::copy_options::recursive);
  fs::remove(dir_ / "run/DONE");
  const FileLock trains(dir_ / "run/lock", "the run");
  const std::string metrics = dir_ / "run/metrics.jsonl", all = text_of(metrics);
  write_file_atomic(metrics, all.substr(0, all.find('\n') + 1));
  // The shell waits until its terminal has its size.
  const std::string command = "until [ \"$(stty size)\" = '30 60' ]; do sleep 0.05; done; exec " +
                              std::string(ST_CLI) + " watch '" + (dir_ / "run") + "' --ascii --interval 0.1";
  int terminal = -1;
  const pid_t child = spawn_on_terminal({"/bin/sh", "-c", command}, &terminal);
  if (child < 0) GTEST_SKIP() << "no pseudo-terminal here";
  const winsize size{30, 60, 0, 0};
  ioctl(terminal, TIOCSWINSZ, &size);
  std::string text;
  char part[4096];
  for (ssize_t n = 0; (n = read(terminal, part, sizeof(part))) > 0;) {
    text.append(part, static_cast<size_t>(n));
    if (text.find("warning:") != std::string::npos)
      write_file_atomic(metrics, all);  // the first frame is there
    if (text.find("epoch 2 of 2") != std::string::npos) kill(child, SIGINT);
  }
  EXPECT_EQ(wait_for(child), 128 + SIGINT);
  close(terminal);
  const size_t first = text.find("epoch 1 of 2"), up = text.find("\033["), second = text.find("epoch 2 of 2");
  ASSERT_NE(first, std::string::npos) << text;
  ASSERT_NE(second, std::string::npos) << text;
  EXPECT_LT(first, up);
  EXPECT_LT(up, second);
  // As many lines are gone up as were drawn, and none is wider than the terminal, which would break it.
  const std::string frame = text.substr(0, up);
  EXPECT_EQ(text.substr(up, text.find('A', up) - up),
            str("\033[", std::count(frame.begin(), frame.end(), '\n')));
  std::istringstream lines(frame);
  for (std::string line; std::getline(lines, line);) EXPECT_LT(line.size(), 61U) << line;  // with its \r
}

TEST_F(ReportCli, WatchEndsOnCtrlC) {
  fs::copy(*runs_ / "a", dir_ / "run", fs::copy_options::recursive);
  fs::remove(dir_ / "run/DONE");
  const FileLock trains(dir_ / "run/lock", "the run");
  const pid_t child = spawn({ST_CLI, "watch", dir_ / "run", "--interval", "3600"}, dir_ / "output");
  for (int i = 0; i < 1200 && output().find("epoch 2 of 2") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  kill(child, SIGINT);
  EXPECT_EQ(wait_for(child), 128 + SIGINT);
}

/// What a browser says of a page at this width: "" if all is well.  A script is added that looks for what sticks out.
/// The page is in a frame: a window is never narrower than 500 pixels.
std::string browser_complaints(const std::string& chromium, const std::string& html, int width,
                               const std::string& flag) {
  static constexpr const char* kScript = R"js(<script>addEventListener('load', () => {
  const bad = [];
  if (document.documentElement.scrollWidth > innerWidth) bad.push('the page is wider than the window: ' +
    document.documentElement.scrollWidth);
  for (const e of document.querySelectorAll('body *')) {
    const r = e.getBoundingClientRect();
    if (r.right > innerWidth + 1 && !e.closest('.scroll, pre')) bad.push(e.tagName + ' sticks out: ' + e.textContent.slice(0, 40));
  }
  for (const svg of document.querySelectorAll('svg[role]')) {
    const box = svg.viewBox.baseVal;
    for (const t of svg.querySelectorAll('text')) {
      const s = svg.getBoundingClientRect(), r = t.getBoundingClientRect();
      if (r.left < s.left - 1 || r.right > s.right + 1 || r.top < s.top - 1 || r.bottom > s.bottom + 1)
        bad.push('text leaves its picture (' + svg.querySelector('title').textContent + '): ' + t.textContent);
    }
  }
  for (const i of document.images) if (!i.complete || i.naturalWidth === 0) bad.push('a picture does not load: ' + i.alt);
  const ink = getComputedStyle(document.body);
  parent.document.body.setAttribute('data-complaints', bad.slice(0, 5).join('; ') || 'none');
  parent.document.body.setAttribute('data-colors', ink.color + ' on ' + ink.backgroundColor);
});</script></body>)js";
  const TempDir dir;
  std::string page = html;
  page.replace(page.rfind("</body>"), 7, kScript);
  write_file_atomic(dir / "page.html",
                    str("<!DOCTYPE html><body><iframe style=\"border:0;height:900px;width:", width,
                        "px\" srcdoc=\"", escape_html(page), "\"></iframe></body>"));
  std::vector<std::string> words = {chromium,
                                    "--headless",
                                    "--no-sandbox",
                                    "--disable-gpu",
                                    "--user-data-dir=" + (dir / "profile"),
                                    str("--window-size=", width + 100, ",1000"),
                                    "--dump-dom",
                                    "file://" + (dir / "page.html")};
  if (!flag.empty()) words.insert(words.begin() + 1, flag);
  const int code = wait_for(spawn(words, dir / "dom"));
  const std::string dom = text_of(dir / "dom");
  std::smatch found;
  if (!std::regex_search(dom, found, std::regex("data-complaints=\"([^\"]*)\"")))
    return str("no answer, exit code ", code, ": ", dom.substr(0, 500));
  const std::string complaints = found[1];
  if (complaints != "none") return complaints;
  const bool dark = dom.find("data-colors=\"rgb(232, 234, 237) on rgb(22, 24, 27)\"") != std::string::npos;
  return dark == (flag == "--blink-settings=preferredColorScheme=0")
             ? ""
             : "colours are not those of " + (flag.empty() ? "light" : flag);
}

TEST_F(ReportCli, ThePageFitsIntoABrowser) {
  std::string chromium;
  for (const char* path : {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"})
    if (chromium.empty() && file_exists(path)) chromium = path;
  if (chromium.empty()) GTEST_SKIP() << "no chromium here; ./setup.sh --dev installs it";
  ASSERT_EQ(run({"report", *runs_ / "a", "--out", dir_ / "one.html", "--threads", "1"}), 0) << text_;
  ASSERT_EQ(run({"report", *runs_ / "a", *runs_ / "b", "--out", dir_ / "two.html", "--threads", "1"}), 0)
      << text_;
  for (const char* name : {"one.html", "two.html"}) {
    const std::string html = text_of(dir_ / name);
    for (const int width : {1920, 1280, 400})
      EXPECT_EQ(browser_complaints(chromium, html, width, ""), "") << name << " " << width;
    EXPECT_EQ(browser_complaints(chromium, html, 1280, "--blink-settings=preferredColorScheme=0"), "")
        << name;
  }
}

}  // namespace spiketrain::report_cli_test
