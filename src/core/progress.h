#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>

namespace sfumato {

/// How far something is, at one moment.
struct ProgressState {
  std::string label = "";
  std::int64_t done = 0;
  std::int64_t total = 0;  ///< 0 where it is not known.
  double rate = 0;         ///< Iterations a second; 0 where it is not known yet.
  double seconds = 0;      ///< Since the start.
  std::string note = "";   ///< Whatever the caller wants to be seen, such as a loss.
};

/// "label  40% [########............] 8/20  2.31 it/s  5s left  note": without the bar where `bar` is false, with s/it
/// below one iteration a second, with the time taken in place of the time left at the end.
std::string progress_line(const ProgressState& state, bool bar);

/// 42 -> "42s", 75 -> "1m15s", 3700 -> "1h01m", 100000 -> "1d03h". Anything under a second is "0s".
std::string duration_string(double seconds);

enum class ProgressStyle {
  kAutomatic,  ///< kTerminal where standard error is one, else kPlain.
  kTerminal,   ///< One line with a bar, drawn over and over, ten times a second at most.
  kPlain,      ///< A whole line every ten seconds at most, and one at the end.
  kQuiet,
};

/// Reports how far a loop is on standard error.
class Progress {
 public:
  using Style = ProgressStyle;

  /// `first` is where the loop starts (a resumed one not at 0); `total` 0 where the end is not known.
  Progress(std::string label, std::int64_t total, Style style = Style::kAutomatic, std::int64_t first = 0,
           std::ostream& out = std::cerr);
  /// Ends a line that stands half drawn, so that an error message starts on its own.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` iterations of `total` are over. Costs next to nothing where nothing is drawn.
  void update(std::int64_t done, std::string note = "");
  /// Draws the last state and ends the line; later calls do nothing.
  void finish();
  /// Clears the line for a message of the caller's on standard error; the next update draws it again.
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
