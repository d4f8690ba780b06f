#include "core/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

namespace sfumato {
namespace {

constexpr double kTerminalInterval = 0.1;  // seconds
constexpr double kPlainInterval = 10;      // seconds
constexpr std::int64_t kBarWidth = 20;
constexpr const char* kEraseLine = "\r\x1b[K";

template <class... Args>
std::string format(const char* pattern, Args... args) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), pattern, args...);
  return text.data();
}

ProgressStyle resolved(ProgressStyle style) {
  if (style != ProgressStyle::kAutomatic) return style;
  return ::isatty(STDERR_FILENO) != 0 ? ProgressStyle::kTerminal : ProgressStyle::kPlain;
}

std::size_t terminal_width() {
  struct winsize size {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

/// Cuts a line to fewer than `width` bytes, never within a UTF-8 sequence: a wrapped line cannot be redrawn.
std::string cut(std::string line, std::size_t width) {
  if (line.size() < width) return line;
  std::size_t size = width - 1;
  while (size > 0 && (static_cast<unsigned char>(line[size]) & 0xC0U) == 0x80U) --size;
  line.resize(size);
  return line;
}

std::string rate_string(double rate) {
  return rate >= 1 ? format("%.2f it/s", rate) : format("%.2f s/it", 1 / rate);
}

std::string bar_string(double fraction) {
  const auto full = static_cast<std::size_t>(std::lround(fraction * kBarWidth));
  return "[" + std::string(full, '#') + std::string(static_cast<std::size_t>(kBarWidth) - full, '.') + "]";
}

}  // namespace

std::string duration_string(double seconds) {
  const auto whole = static_cast<long>(std::lround(std::clamp(seconds, 0.0, 1e9)));
  if (whole < 60) return format("%lds", whole);
  if (whole < 3600) return format("%ldm%02lds", whole / 60, whole % 60);
  if (whole < 86400) return format("%ldh%02ldm", whole / 3600, whole % 3600 / 60);
  return format("%ldd%02ldh", whole / 86400, whole % 86400 / 3600);
}

std::string progress_line(const ProgressState& state, bool bar) {
  std::string line = state.label;
  const auto done = std::to_string(state.done);
  if (state.total > 0) {
    const double fraction = std::clamp(static_cast<double>(state.done) / static_cast<double>(state.total), 0.0, 1.0);
    line += format(" %3d%%", static_cast<int>(fraction * 100));
    if (bar) line += " " + bar_string(fraction);
    line += " " + done + "/" + std::to_string(state.total);
  } else {
    line += " " + done;
  }
  if (state.rate > 0) {
    line += "  " + rate_string(state.rate);
    if (state.done < state.total)
      line += "  " + duration_string(static_cast<double>(state.total - state.done) / state.rate) + " left";
    else
      line += "  " + duration_string(state.seconds);
  }
  if (!state.note.empty()) line += "  " + state.note;
  return line;
}

Progress::Progress(std::string label, std::int64_t total, Style style, std::int64_t first, std::ostream& out)
    : style_(resolved(style)), first_(first), out_(out) {
  state_.label = std::move(label);
  state_.done = first;
  state_.total = total;
}

Progress::~Progress() {
  if (line_open_) out_ << std::endl;
}

void Progress::update(std::int64_t done, std::string note) {
  if (style_ == Style::kQuiet || finished_) return;
  state_.done = done;
  state_.note = std::move(note);
  const auto now = Clock::now();
  const bool first_line = style_ == Style::kTerminal && !line_open_;
  if (first_line || seconds_since(drawn_at_, now) >= (style_ == Style::kTerminal ? kTerminalInterval : kPlainInterval))
    draw(now);
}

void Progress::finish() {
  if (style_ == Style::kQuiet || finished_) return;
  draw(Clock::now());
  if (line_open_) out_ << std::endl;
  line_open_ = false;
  finished_ = true;
}

void Progress::clear() {
  if (line_open_) out_ << kEraseLine << std::flush;
  line_open_ = false;
}

void Progress::draw(Clock::time_point now) {
  drawn_at_ = now;
  state_.seconds = seconds_since(start_, now);
  state_.rate = state_.seconds > 0 ? static_cast<double>(state_.done - first_) / state_.seconds : 0;
  if (style_ == Style::kTerminal) {
    out_ << kEraseLine << cut(progress_line(state_, true), terminal_width()) << std::flush;
    line_open_ = true;
  } else {
    out_ << progress_line(state_, false) << std::endl;
  }
}

double Progress::seconds_since(Clock::time_point start, Clock::time_point now) const {
  return std::chrono::duration<double>(now - start).count();
}

}  // namespace sfumato
