#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>

namespace sfumato {

/// Progress of a loop at one moment.
struct ProgressState {
  std::string label = "";
  std::int64_t done = 0;
  std::int64_t total = 0;  ///< 0 if unknown.
  double rate = 0;         ///< Iterations a second; 0 if not known yet.
  double seconds = 0;      ///< Since the start.
  std::string note = "";   ///< Any text to show, such as a loss.
};

/// Formats "label  40% [########............] 8/20  2.31 it/s  5s left  note": without the bar if `bar` is false, with
/// s/it below one iteration a second, and at the end with the time taken in place of the time left.
std::string progress_line(const ProgressState& state, bool bar);

/// Formats 42 as "42s", 75 as "1m15s", 3700 as "1h01m", 100000 as "1d03h". Anything under a second is "0s".
std::string duration_string(double seconds);

enum class ProgressStyle {
  kAutomatic,  ///< kTerminal if standard error is a terminal, else kPlain.
  kTerminal,   ///< One line with a bar, redrawn at most ten times a second.
  kPlain,      ///< A whole line at most every ten seconds, and one at the end.
  kQuiet,
};

/// Reports the progress of a loop on standard error.
class Progress {
 public:
  using Style = ProgressStyle;

  /// `first` is the iteration at which the loop starts (not 0 for a resumed one); `total` is 0 if the end is unknown.
  Progress(std::string label, std::int64_t total, Style style = Style::kAutomatic, std::int64_t first = 0,
           std::ostream& out = std::cerr);
  /// Ends a line that is only partly drawn, so that an error message starts on its own line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Reports that `done` iterations of `total` are complete. Costs almost nothing when nothing is drawn.
  void update(std::int64_t done, std::string note = "");
  /// Draws the last state and ends the line; later calls do nothing.
  void finish();
  /// Clears the line for the caller's message on standard error; the next update draws it again.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  void draw(Clock::time_point now);
  double seconds_since(Clock::time_point start, Clock::time_point now) const;

  ProgressState state_;
  Style style_;
  std::int64_t first_;
  std::ostream& out_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_at_ = start_;
  bool line_open_ = false;
  bool finished_ = false;
};

}  // namespace sfumato
