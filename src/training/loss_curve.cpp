#include "training/loss_curve.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace sfumato {
namespace {

constexpr double kWidth = 720, kHeight = 360, kLeft = 64, kRight = 656, kTop = 28, kBottom = 316;
constexpr std::size_t kWindows = 160;
constexpr const char* kLossColour = "#3366aa";
constexpr const char* kHeldOutColour = "#cc5533";

struct Point {
  double step, value;
};
using Series = std::vector<Point>;

struct Axis {
  double low, high, from, to;
  double at(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

Series read_series(const RunFolder& run, const std::string& key) {
  std::ifstream log(run.path() / "log.jsonl");
  if (!log) throw std::runtime_error("'" + run.path().string() + "' has no log.jsonl");
  Series series;
  for (std::string line; std::getline(log, line);) {
    const auto json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains(key) || !json[key].is_number()) continue;
    series.push_back({value_or(json, "step", 0.0), json[key].get<double>()});
  }
  return series;
}

/// Averages neighbouring points: at most kWindows remain.
Series averaged(const Series& series) {
  const auto size = (series.size() + kWindows - 1) / kWindows;
  Series means;
  for (std::size_t first = 0; first < series.size(); first += size) {
    const auto end = std::min(series.size(), first + size);
    Point mean{0, 0};
    for (auto i = first; i < end; ++i) {
      mean.step += series[i].step / static_cast<double>(end - first);
      mean.value += series[i].value / static_cast<double>(end - first);
    }
    means.push_back(mean);
  }
  return means;
}

/// Returns an axis from the smallest value to the largest, widened to the surrounding ticks.
Axis axis_of(const std::vector<Series>& all, double Point::*member, double from, double to) {
  double low = all.front().front().*member, high = low;
  for (const auto& series : all) {
    for (const auto& point : series) {
      low = std::min(low, point.*member);
      high = std::max(high, point.*member);
    }
  }
  if (high <= low) high = low + 1;
  return {low, high, from, to};
}

std::string text(double x, double y, const std::string& anchor, const std::string& words, const char* colour = "#444") {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\" fill=\"" + colour +
         "\">" + words + "</text>\n";
}

std::string line(const Series& series, const Axis& x, const Axis& y, const char* colour) {
  std::string points;
  for (const auto& point : series) points += number(x.at(point.step)) + "," + number(y.at(point.value)) + " ";
  return "<polyline points=\"" + points + "\" fill=\"none\" stroke=\"" + colour + "\" stroke-width=\"1.5\"/>\n";
}

std::string ticks_across(const Axis& x) {
  std::string svg;
  for (const double tick : axis_ticks(x.low, x.high, 6)) svg += text(x.at(tick), kBottom + 18, "middle", number(tick));
  return svg + text((kLeft + kRight) / 2, kBottom + 36, "middle", "step");
}

std::string ticks_along(const Axis& y, bool right, const char* colour) {
  std::string svg;
  for (const double tick : axis_ticks(y.low, y.high, 5)) {
    const auto at = number(y.at(tick));
    svg += "<line x1=\"" + number(kLeft) + "\" x2=\"" + number(kRight) + "\" y1=\"" + at + "\" y2=\"" + at +
           "\" stroke=\"#ddd\"/>\n";
    svg += text(right ? kRight + 6 : kLeft - 6, y.at(tick) + 4, right ? "start" : "end", number(tick), colour);
  }
  return svg;
}

}  // namespace

std::vector<double> axis_ticks(double low, double high, int count) {
  const double rough = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double spacing = 10 * power;
  for (const double unit : {5.0, 2.0, 1.0}) {
    if (unit * power >= rough) spacing = unit * power;
  }
  std::vector<double> ticks;
  for (double k = std::ceil(low / spacing - 1e-9); k * spacing <= high + 1e-9 * spacing; ++k) {
    ticks.push_back(k == 0 ? 0 : k * spacing);
  }
  return ticks;
}

std::string loss_curve_svg(const RunFolder& run) {
  const auto loss = averaged(read_series(run, "loss"));
  if (loss.empty()) throw std::runtime_error("the log of '" + run.path().string() + "' has no loss yet");
  const auto held_out_loss = read_series(run, "held_out_loss"), psnr = read_series(run, "held_out_psnr");
  const auto x = axis_of({loss, held_out_loss, psnr}, &Point::step, kLeft, kRight);
  const auto y = axis_of({loss, held_out_loss}, &Point::value, kBottom, kTop);
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + number(kWidth) + "\" height=\"" +
                    number(kHeight) + "\" font-family=\"sans-serif\" font-size=\"12\">\n" +
                    "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  svg += ticks_across(x) + ticks_along(y, false, kLossColour) + line(loss, x, y, kLossColour) +
         text(kLeft, kTop - 10, "start", "training loss", kLossColour);
  if (!held_out_loss.empty()) {
    svg += line(held_out_loss, x, y, kHeldOutColour) + text(kRight, kTop - 10, "end", "held-out loss", kHeldOutColour);
  }
  if (!psnr.empty()) {
    const auto decibels = axis_of({psnr}, &Point::value, kBottom, kTop);
    svg += ticks_along(decibels, true, kHeldOutColour) + line(psnr, x, decibels, kHeldOutColour) +
           text(kRight, kTop - 10, "end", "held-out PSNR, dB", kHeldOutColour);
  }
  return svg + "</svg>\n";
}

}  // namespace sfumato
